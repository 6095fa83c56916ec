/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The text of a configuration file before libconfuse sees it. Called by config.c.
 */
#ifndef KSEALD_CONFIG_TEXT_H
#define KSEALD_CONFIG_TEXT_H

#include <stddef.h>

#define KSEAL_CONFIG_SECTIONS	1024

/**
 * struct kseal_config_text - a file, its comments blanked
 * @text: the characters, terminated
 * @section_line: line on which the n-th section begins
 * @sections: of @section_line
 */
struct kseal_config_text {
	char *text;
	int section_line[KSEAL_CONFIG_SECTIONS];
	size_t sections;
};

int kseal_config_text_read(struct kseal_config_text *t, const char *path,
			   char *error, size_t size);

#endif /* KSEALD_CONFIG_TEXT_H */
