// SPDX-License-Identifier: GPL-2.0
/*
 * Logging of the agent. Under systemd stderr is a stream to the journal: then
 * entries go there natively, with fields (KSEAL_PROFILE=, KSEAL_PEER= ...) that
 * `journalctl KSEAL_PROFILE=web` can select. Elsewhere each entry is one line,
 * written by one write(2), so that threads don't interleave; in the format "json" it
 * is an object with the fields as members.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* The journal would otherwise be told this file's lines for every entry. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "log.h"

#define LOG_LINE_MAX	4096
#define LOG_FIELDS_MAX	16
#define LOG_FIELD_MAX	1280

static const char *const level_names[] = {
	[KSEAL_LOG_ERROR] = "error",
	[KSEAL_LOG_WARNING] = "warning",
	[KSEAL_LOG_INFO] = "info",
	[KSEAL_LOG_DEBUG] = "debug",
};

static const int level_priority[] = {
	[KSEAL_LOG_ERROR] = LOG_ERR,
	[KSEAL_LOG_WARNING] = LOG_WARNING,
	[KSEAL_LOG_INFO] = LOG_INFO,
	[KSEAL_LOG_DEBUG] = LOG_DEBUG,
};

static atomic_int log_level = KSEAL_LOG_INFO;
static bool to_journal;
static bool as_json;

/**
 * kseal_log_open() - find out where entries go
 *
 * systemd sets JOURNAL_STREAM to "device:inode" of the stream; stderr may have
 * been redirected since, so it is compared (systemd.exec(5)).
 */
void kseal_log_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return;
	if (fstat(STDERR_FILENO, &st) == 0)
		to_journal = st.st_dev == dev && st.st_ino == ino;
}

/**
 * kseal_log_set_format() - how lines look, and that they are lines
 * @name: "text" or "json"; "json" even where stderr is the journal
 *
 * Return: 0, or -1 for another name.
 */
int kseal_log_set_format(const char *name)
{
	as_json = strcmp(name, "json") == 0;
	return as_json || strcmp(name, "text") == 0 ? 0 : -1;
}

/**
 * kseal_log_set_level() - the least important level that is still written
 * @level: from the configuration
 */
void kseal_log_set_level(enum kseal_log_level level)
{
	atomic_store(&log_level, level);
}

/**
 * kseal_log_enabled() - whether an entry would be written
 * @level: of the entry
 *
 * For those who would go to lengths to make one.
 */
bool kseal_log_enabled(enum kseal_log_level level)
{
	return level <= (enum kseal_log_level)atomic_load(&log_level);
}

/**
 * kseal_log_parse_level() - level of a name of the configuration
 * @name: "error", "warning", "info" or "debug"
 * @level: set on success
 *
 * Return: 0, or -1 for another name.
 */
int kseal_log_parse_level(const char *name, enum kseal_log_level *level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = i;
			return 0;
		}
	}
	return -1;
}

/**
 * kseal_log_escape() - make a string of the peer fit for a log line
 * @to: the result, always terminated
 * @size: of @to
 * @from: bytes that the peer chose
 *
 * Control characters, quotes, backslashes, blanks and bytes outside ASCII
 * become \xHH, so nobody can forge a line or a field of one.
 *
 * Return: @to.
 */
char *kseal_log_escape(char *to, size_t size, const char *from)
{
	size_t used = 0;

	for (; *from; from++) {
		unsigned char c = *from;
		bool plain = c > ' ' && c < 0x7f && c != '"' && c != '\\';

		if (used + (plain ? 1 : 4) >= size)
			break;
		if (plain)
			to[used++] = c;
		else
			used += snprintf(to + used, size - used, "\\x%02x", c);
	}
	to[used] = '\0';
	return to;
}

static void write_journal(enum kseal_log_level level, const char *message,
			  const struct kseal_log_field *fields, size_t count)
{
	char text[LOG_FIELDS_MAX][LOG_FIELD_MAX];
	char line[LOG_LINE_MAX + 16], priority[16];
	struct iovec iov[LOG_FIELDS_MAX + 3];
	size_t n = 0;

	iov[n].iov_len = snprintf(line, sizeof(line), "MESSAGE=%s", message);
	iov[n++].iov_base = line;
	iov[n].iov_len = snprintf(priority, sizeof(priority), "PRIORITY=%d",
				  level_priority[level]);
	iov[n++].iov_base = priority;
	iov[n].iov_base = (char *)"SYSLOG_IDENTIFIER=kseald";
	iov[n].iov_len = strlen(iov[n].iov_base);
	n++;

	for (size_t i = 0; i < count && i < LOG_FIELDS_MAX; i++) {
		int len;

		if (!fields[i].value)
			continue;
		len = snprintf(text[i], sizeof(text[i]), "KSEAL_%s=%s",
			       fields[i].name, fields[i].value);
		if (len < 0)
			continue;
		iov[n].iov_base = text[i];
		iov[n++].iov_len = (size_t)len < sizeof(text[i]) ?
				   (size_t)len : sizeof(text[i]) - 1;
	}
	sd_journal_sendv(iov, n);
}

/* Appends a string with quotes (RFC 8259 section 7); bytes beyond ASCII as they are. */
static void put_json(char *to, size_t size, size_t *used, const char *text)
{
	size_t n = *used;

	if (n + 2 >= size)
		return;
	to[n++] = '"';
	for (; *text && n + 8 < size; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\') {
			to[n++] = '\\';
			to[n++] = c;
		} else if (c < ' ' || c >= 0x7f) {
			/* No name that we were given is trusted to be UTF-8. */
			n += snprintf(to + n, size - n, "\\u%04x", c);
		} else {
			to[n++] = c;
		}
	}
	to[n++] = '"';
	*used = n;
}

static void write_json(enum kseal_log_level level, const char *message,
		       const struct kseal_log_field *fields, size_t count)
{
	char line[2 * LOG_LINE_MAX], name[32];
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(line, sizeof(line), "{\"time\":\"%Y-%m-%dT%H:%M:%S", &tm);
	n += snprintf(line + n, sizeof(line) - n, ".%03ldZ\",\"level\":\"%s\",\"message\":",
		      now.tv_nsec / 1000000, level_names[level]);
	put_json(line, sizeof(line) - 3, &n, message);
	for (size_t i = 0; i < count && n + LOG_FIELD_MAX < sizeof(line); i++) {
		size_t j;

		if (!fields[i].value)
			continue;
		for (j = 0; fields[i].name[j] && j < sizeof(name) - 1; j++)
			name[j] = tolower((unsigned char)fields[i].name[j]);
		name[j] = '\0';
		n += snprintf(line + n, sizeof(line) - n, ",\"%s\":", name);
		put_json(line, sizeof(line) - 3, &n, fields[i].value);
	}
	line[n++] = '}';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

static void write_entry(enum kseal_log_level level,
			const struct kseal_log_field *fields, size_t count,
			const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	int head, len;

	if ((int)level > atomic_load(&log_level))
		return;
	if (as_json) {
		vsnprintf(line, sizeof(line), fmt, ap);
		write_json(level, line, fields, count);
		return;
	}
	if (to_journal) {
		vsnprintf(line, sizeof(line), fmt, ap);
		write_journal(level, line, fields, count);
		return;
	}

	head = snprintf(line, sizeof(line), "kseald: %s%s",
			level == KSEAL_LOG_INFO ? "" : level_names[level],
			level == KSEAL_LOG_INFO ? "" : ": ");
	len = vsnprintf(line + head, sizeof(line) - head - 1, fmt, ap);
	if (len < 0)
		return;
	len += head;
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	/* There is nobody to tell that the log is gone. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

/**
 * kseal_log() - write an entry
 * @level: its importance
 * @fmt: printf format, no newline
 */
void kseal_log(enum kseal_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_entry(level, NULL, 0, fmt, ap);
	va_end(ap);
}

/**
 * kseal_log_fields() - write an entry with journal fields
 * @level: its importance
 * @fields: only the journal sees them: the text must say it all
 * @count: of @fields
 * @fmt: printf format, no newline
 */
void kseal_log_fields(enum kseal_log_level level,
		      const struct kseal_log_field *fields, size_t count,
		      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_entry(level, fields, count, fmt, ap);
	va_end(ap);
}
