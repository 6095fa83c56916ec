// SPDX-License-Identifier: GPL-2.0
/*
 * kseal doctor: why it does not work, and what to do about it.
 *
 * A list of checks (doctor_kernel.c, doctor_system.c), each with one line of finding
 * and, where something is wrong, one of remedy. Nothing is changed; but the kernel loads
 * the module, if it can, for whoever asks for it (its netlink family).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"
#include "query.h"

#define CONFIG_DEFAULT	"/etc/kseal/kseald.conf"

static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0,
	  "configuration of the agent (default " CONFIG_DEFAULT ")", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct kseal_patient *patient = state->input;

	switch (key) {
	case 'c':
		patient->config = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "too many arguments");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Check the kernel, the module, the agent and its certificates, and what kseal run "
	       "needs, and say what to do about what is wrong.\v"
	       "Sees most as root. The exit status is 0 if nothing is wrong, warnings or not, "
	       "else 1.",
};

/**
 * kseal_report() - tell what a check has found
 * @patient: counts it
 * @finding: how it is
 * @what: was checked, a word or two
 * @remedy: what to do about it, NULL if nothing
 * @format: what it is like
 */
void kseal_report(struct kseal_patient *patient, enum kseal_finding finding, const char *what,
		  const char *remedy, const char *format, ...)
{
	static const char *const words[] = {
		[KSEAL_GOOD] = "ok",
		[KSEAL_NOTE] = "note",
		[KSEAL_WARNING] = "warning",
		[KSEAL_BAD] = "BAD",
	};
	va_list args;

	printf("%-7s  %s: ", words[finding], what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	if (remedy)
		printf("%7s  -> %s\n", "", remedy);
	patient->bad += finding == KSEAL_BAD;
	patient->warnings += finding == KSEAL_WARNING;
}

/**
 * kseal_read_line() - the first line of a small file
 * @path: of /proc or /sys
 * @line: result, without its newline; empty if there is none
 * @size: of @line
 *
 * Return: false if the file can't be read.
 */
bool kseal_read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	*line = '\0';
	if (!file)
		return false;
	if (!fgets(line, size, file))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
	return true;
}

/* In the child: never returns. */
static void run_program(const char *const *argv, int output)
{
	const char *path = getenv("PATH");
	int null = open("/dev/null", O_RDONLY);
	char *extended;

	if (asprintf(&extended, "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin") > 0)
		setenv("PATH", extended, 1);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(KSEAL_NOT_FOUND);
}

/**
 * kseal_ask_program() - run a program and read what it says
 * @argv: of it; found as a shell would, and in /sbin and /usr/sbin
 * @output: both of its streams, as much as there is room for
 * @size: of @output
 *
 * Return: its exit status, KSEAL_NOT_FOUND if it can't be run
 */
int kseal_ask_program(const char *const *argv, char *output, size_t size)
{
	size_t length = 0;
	int pipes[2], status;
	char rest[512];
	ssize_t more;
	pid_t pid;

	*output = '\0';
	if (pipe2(pipes, O_CLOEXEC))
		return KSEAL_NOT_FOUND;
	pid = fork();
	if (!pid)
		run_program(argv, pipes[1]);
	close(pipes[1]);
	while (length < size - 1 && (more = read(pipes[0], output + length, size - 1 - length)) > 0)
		length += more;
	output[length] = '\0';
	while (read(pipes[0], rest, sizeof(rest)) > 0)
		;
	close(pipes[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return KSEAL_NOT_FOUND;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/**
 * kseal_cmd_doctor() - the subcommand
 * @argc: of @argv
 * @argv: "kseal doctor", options
 *
 * Return: exit status
 */
int kseal_cmd_doctor(int argc, char **argv)
{
	static void (*const checks[])(struct kseal_patient *patient) = {
		kseal_check_kernel, kseal_check_module,	      kseal_check_ciphers,
		kseal_check_agent,  kseal_check_interception, kseal_check_offload,
	};
	struct kseal_patient patient = { .config = CONFIG_DEFAULT };
	size_t i;

	argp_parse(&argp, argc, argv, 0, NULL, &patient);
	setvbuf(stdout, NULL, _IOLBF, 0);
	patient.status = kseal_query(patient.why);
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&patient);
	json_decref(patient.status);
	if (patient.bad)
		printf("\n%u thing%s must be mended.\n", patient.bad, patient.bad == 1 ? "" : "s");
	else
		printf("\nNothing is wrong%s.\n", patient.warnings ? ", but see the warnings" : "");
	return patient.bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
