/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Logging of the agent: to the journal with fields where stderr is the journal,
 * else one line on stderr, as text or as JSON. Called from every thread. Nothing
 * secret may be passed.
 */
#ifndef KSEALD_LOG_H
#define KSEALD_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum kseal_log_level {
	KSEAL_LOG_ERROR,
	KSEAL_LOG_WARNING,
	KSEAL_LOG_INFO,
	KSEAL_LOG_DEBUG,
};

/**
 * struct kseal_log_field - a field of a journal entry
 * @name: upper case, without "="
 * @value: NULL leaves the field out
 */
struct kseal_log_field {
	const char *name;
	const char *value;
};

void kseal_log_open(void);
int kseal_log_set_format(const char *name);
void kseal_log_set_level(enum kseal_log_level level);
bool kseal_log_enabled(enum kseal_log_level level);
int kseal_log_parse_level(const char *name, enum kseal_log_level *level);

void kseal_log(enum kseal_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void kseal_log_fields(enum kseal_log_level level,
		      const struct kseal_log_field *fields, size_t count,
		      const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

char *kseal_log_escape(char *to, size_t size, const char *from);

#endif /* KSEALD_LOG_H */
