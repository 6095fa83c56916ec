// SPDX-License-Identifier: GPL-2.0
/*
 * The text of a configuration file before libconfuse sees it. Called by config.c.
 *
 * libconfuse 3.3 counts a line too many for each comment, takes a file whose last
 * section is never closed, does not say where a section began, and takes the last of
 * several values of an option, and nothing for a variable that is not set. Messages
 * name FILE:LINE, so comments are blanked here (lines stay where they are), braces are
 * balanced, the sections' lines noted, and options that are set twice found.
 */
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_text.h"

#define CONFIG_FILE_MAX	(1024 * 1024)

/* Where an unquoted word ends, by libconfuse's lexer. */
static bool ends_word(char c)
{
	return strchr(" \t\r\n={}()+,\"'", c);
}

static void say_unreadable(const char *path, char *error, size_t size)
{
	int why = errno;
	const struct passwd *pw = getpwuid(geteuid());

	if (why == ENOENT)
		snprintf(error, size,
			 "%s: cannot be read: %s: write one (kseald.conf(5)), or name another with --config",
			 path, strerror(why));
	else if (why == EACCES)
		snprintf(error, size,
			 "%s: cannot be read: %s: let user %s read it, and enter the directories above it",
			 path, strerror(why), pw ? pw->pw_name : "of kseald");
	else
		snprintf(error, size, "%s: cannot be read: %s", path, strerror(why));
}

static int read_file(const char *path, char **text, char *error, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t len = 0;
	char *buf;

	if (!f) {
		say_unreadable(path, error, size);
		return -1;
	}
	buf = malloc(CONFIG_FILE_MAX + 1);
	if (buf)
		len = fread(buf, 1, CONFIG_FILE_MAX + 1, f);
	if (!buf || ferror(f)) {
		snprintf(error, size, "%s: cannot be read: %s", path, strerror(errno));
		goto fail;
	}
	if (len > CONFIG_FILE_MAX) {
		snprintf(error, size, "%s: larger than 1 MiB: is this the right file?", path);
		goto fail;
	}
	if (memchr(buf, '\0', len)) {
		snprintf(error, size, "%s: holds binary data: is this the right file?", path);
		goto fail;
	}
	fclose(f);
	buf[len] = '\0';
	*text = buf;
	return 0;

fail:
	free(buf);
	fclose(f);
	return -1;
}

/**
 * struct variable - of the environment, named in a string and not usable
 * @name: behind "${"; NULL if there is none
 * @length: of @name
 * @line: where
 */
struct variable {
	const char *name;
	int length;
	int line;
};

/* What libconfuse would replace by nothing; it has ${NAME:-VALUE}, too. */
static void look_for_unset(const char *p, int line, struct variable *unset)
{
	int length = strcspn(p + 2, "}:\"\n");
	char name[256];

	snprintf(name, sizeof(name), "%.*s", length, p + 2);
	if (unset->name || strncmp(p + 2 + length, ":-", 2) == 0 ||
	    (p[2 + length] == '}' && getenv(name)))
		return;
	unset->name = p + 2;
	unset->length = length;
	unset->line = line;
}

static void say_unset(const struct variable *v, const char *path, char *error, size_t size)
{
	static const char credentials[] = "CREDENTIALS_DIRECTORY}";

	if (strncmp(v->name, credentials, strlen(credentials)) == 0)
		snprintf(error, size,
			 "%s:%d: ${CREDENTIALS_DIRECTORY} is not set: systemd sets it for a unit with LoadCredential= (kseald(8)); --check --user=kseald finds it while the unit runs",
			 path, v->line);
	else if (!v->length || v->name[v->length] != '}')
		snprintf(error, size,
			 "%s:%d: this names no variable: write ${NAME}, or \\$ for a dollar sign",
			 path, v->line);
	else
		snprintf(error, size,
			 "%s:%d: ${%.*s} is not set: set it for kseald (Environment= of the unit), or write ${%.*s:-VALUE}",
			 path, v->line, v->length, v->name, v->length, v->name);
}

static char *skip_string(char *p, int *line, struct variable *unset)
{
	char quote = *p++;

	for (; *p && *p != quote; p++) {
		if (*p == '\n')
			++*line;
		if (quote == '"' && p[0] == '$' && p[1] == '{')
			look_for_unset(p, *line, unset);
		if (*p == '\\' && p[1] && p[1] != '\n')
			p++;
	}
	return p;
}

static char *blank_line(char *p)
{
	while (*p && *p != '\n')
		*p++ = ' ';
	return p;
}

static char *blank_block(char *p, int *line)
{
	*p++ = ' ';
	*p++ = ' ';
	for (; *p; p++) {
		if (p[0] == '*' && p[1] == '/') {
			*p++ = ' ';
			*p++ = ' ';
			break;
		}
		if (*p == '\n')
			++*line;
		else
			*p = ' ';
	}
	return p;
}

/**
 * struct setting - an option that has been set
 * @name: in the text
 * @length: of @name
 * @line: where
 * @section: in which, 0 if in none
 */
struct setting {
	const char *name;
	size_t length;
	int line;
	int section;
};

/**
 * struct settings - those that have been set
 * @list: of @count
 * @count: how many
 */
struct settings {
	struct setting *list;
	size_t count;
};

/* Notes an option. Returns the line where the same one of the section was set, 0 if none. */
static int note_setting(struct settings *s, const struct setting *new)
{
	struct setting *list;

	for (size_t i = 0; i < s->count; i++) {
		const struct setting *old = &s->list[i];

		if (old->section == new->section && old->length == new->length &&
		    memcmp(old->name, new->name, new->length) == 0)
			return old->line;
	}
	list = realloc(s->list, (s->count + 1) * sizeof(*list));
	if (!list)
		return 0;
	s->list = list;
	list[s->count++] = *new;
	return 0;
}

/**
 * kseal_config_text_read() - read a file and prepare it for libconfuse
 * @t: filled in; the caller frees @t->text
 * @path: of the file
 * @error: what is wrong, as FILE:LINE: where there is a line
 * @size: of @error
 *
 * Return: 0, or -1 with @error.
 */
int kseal_config_text_read(struct kseal_config_text *t, const char *path,
			   char *error, size_t size)
{
	int line = 1, open_line = 0, string_line, first;
	struct settings settings = { NULL, 0 };
	struct variable unset = { NULL, 0, 0 };
	struct setting last = { 0 };
	bool value = false;	/* the brace opens a list */
	bool list = false;
	char before = '\n';
	char *p;

	memset(t, 0, sizeof(*t));
	if (read_file(path, &t->text, error, size) < 0)
		return -1;

	for (p = t->text; *p;) {
		bool start = ends_word(before);

		if (start && (*p == '#' || (*p == '/' && p[1] == '/'))) {
			p = blank_line(p);
			before = ' ';
			continue;
		}
		if (start && *p == '/' && p[1] == '*') {
			p = blank_block(p, &line);
			before = ' ';
			continue;
		}
		switch (*p) {
		case '\n':
			line++;
			break;
		case '"':
		case '\'':
			string_line = line;
			p = skip_string(p, &line, &unset);
			if (!*p) {
				snprintf(error, size,
					 "%s:%d: this quote is never closed: add the closing quote",
					 path, string_line);
				goto fail;
			}
			if (unset.name) {
				say_unset(&unset, path, error, size);
				goto fail;
			}
			value = false;
			break;
		case '=':
			value = true;
			/* += adds to a list */
			last.section = open_line ? (int)t->sections : 0;
			first = before != '+' && last.name ? note_setting(&settings, &last) : 0;
			if (first) {
				snprintf(error, size,
					 "%s:%d: %.*s is set a second time (first on line %d): remove one, or add to a list with +=",
					 path, last.line, (int)last.length, last.name, first);
				goto fail;
			}
			break;
		case '{':
			if (before == '$') {
				snprintf(error, size,
					 "%s:%d: variables are replaced between double quotes only: write \"${NAME}...\"",
					 path, line);
				goto fail;
			}
			if (value) {
				list = true;
			} else {
				if (t->sections < KSEAL_CONFIG_SECTIONS)
					t->section_line[t->sections++] = line;
				open_line = line;
			}
			value = false;
			break;
		case '}':
			if (list)
				list = false;
			else
				open_line = 0;
			break;
		case ' ':
		case '\t':
		case '\r':
			break;
		default:
			value = false;
			if (start) {
				last.name = p;
				last.length = 0;
				last.line = line;
			}
			last.length += !ends_word(*p);
		}
		before = *p++;
	}
	if (open_line) {
		snprintf(error, size, "%s:%d: this section is never closed: add a \"}\"",
			 path, open_line);
		goto fail;
	}
	free(settings.list);
	return 0;

fail:
	free(settings.list);
	free(t->text);
	t->text = NULL;
	return -1;
}
