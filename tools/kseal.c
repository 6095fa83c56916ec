// SPDX-License-Identifier: GPL-2.0
/*
 * kseal: seal the TCP sockets of programs that know nothing of TLS.
 *
 * The table of subcommands; a file each does the work: run.c, attach.c,
 * status.c, info.c, rekey.c, top.c, metrics.c, doctor.c,
 * reload.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kseal-cli.h"

static int cmd_help(int argc, char **argv);

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", kseal_cmd_run, "run a program with its TCP sockets sealed" },
	{ "attach", kseal_cmd_attach, "seal a listener of a running program" },
	{ "status", kseal_cmd_status, "show the module, the agent, listeners and connections" },
	{ "info", kseal_cmd_info, "show all that is known of a sealed socket" },
	{ "rekey", kseal_cmd_rekey, "have a sealed socket go on with its next key" },
	{ "top", kseal_cmd_top, "watch the sealed connections that move most" },
	{ "metrics", kseal_cmd_metrics, "print counters and state for a collector" },
	{ "doctor", kseal_cmd_doctor, "find out why it does not work, and what to do" },
	{ "reload", kseal_cmd_reload, "have the agent read its configuration anew" },
	{ "help", cmd_help, "explain a command" },
};

const char *argp_program_version = "kseal " KSEAL_VERSION;

/* Runs argv[0]'s command under the name that messages and usage should show. */
static int run_command(int argc, char **argv)
{
	char name[64];
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		snprintf(name, sizeof(name), "kseal %s", argv[0]);
		argv[0] = name;
		return commands[i].run(argc, argv);
	}
	kseal_say("there is no command '%s'; see 'kseal --help'", argv[0]);
	return KSEAL_EXIT_USAGE;
}

static error_t parse_main(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case ARGP_KEY_ARG:
		/* The command and all that follows it is the command's own. */
		*(int *)state->input = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_state_help(state, stderr, ARGP_HELP_USAGE | ARGP_HELP_SEE);
		exit(KSEAL_EXIT_USAGE);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *main_help(int key, const char *text, void *input)
{
	char *help = NULL;
	size_t size, i;
	FILE *out;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	out = open_memstream(&help, &size);
	if (!out)
		return NULL;
	fputs("Commands:\n", out);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n'kseal help COMMAND' explains a command.", out);
	fclose(out);
	return help;
}

static const struct argp main_argp = {
	.parser = parse_main,
	.args_doc = "COMMAND [ARGUMENTS]",
	.doc = "TLS for TCP sockets of programs that know nothing of it, sealed in the kernel.\v",
	.help_filter = main_help,
};

static error_t parse_help(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "one command at a time");
		*(char **)state->input = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int cmd_help(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_help,
		.args_doc = "[COMMAND]",
		.doc = "Explain a command of kseal.",
	};
	char help[] = "--help", self[] = "kseal";
	char *args[3] = { NULL, help, NULL };

	argp_parse(&argp, argc, argv, 0, NULL, &args[0]);
	if (args[0])
		return run_command(2, args);
	args[0] = self;
	return argp_parse(&main_argp, 2, args, 0, NULL, NULL);
}

int main(int argc, char **argv)
{
	char self[] = "kseal";
	int first = argc;

	argp_err_exit_status = KSEAL_EXIT_USAGE;
	if (argc)
		argv[0] = self;
	argp_parse(&main_argp, argc, argv, ARGP_IN_ORDER, NULL, &first);
	return run_command(argc - first, argv + first);
}
