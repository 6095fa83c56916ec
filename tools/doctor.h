/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of `kseal doctor` share: how they report, and each other.
 */
#ifndef _KSEAL_DOCTOR_H
#define _KSEAL_DOCTOR_H

#include <jansson.h>

#include "kseal-cli.h"

#define KSEAL_NOT_FOUND	127	/* kseal_ask_program(), as of a shell */

/**
 * enum kseal_finding - what came of a check
 * @KSEAL_GOOD: as it should be
 * @KSEAL_NOTE: worth knowing, or not to be found out here
 * @KSEAL_WARNING: works, but worse than it could, or not for long
 * @KSEAL_BAD: does not work
 */
enum kseal_finding {
	KSEAL_GOOD,
	KSEAL_NOTE,
	KSEAL_WARNING,
	KSEAL_BAD,
};

/**
 * struct kseal_patient - what the checks know
 * @config: the agent's configuration
 * @status: of the module, NULL if it does not answer
 * @why: it does not
 * @bad: findings that are KSEAL_BAD
 * @warnings: those that are KSEAL_WARNING
 */
struct kseal_patient {
	const char *config;
	json_t *status;
	char why[KSEAL_MESSAGE_LEN];
	unsigned int bad, warnings;
};

void kseal_report(struct kseal_patient *patient, enum kseal_finding finding, const char *what,
		  const char *remedy, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
int kseal_ask_program(const char *const *argv, char *output, size_t size);
bool kseal_read_line(const char *path, char *line, size_t size);
bool kseal_module_loaded(const char *name);

void kseal_check_kernel(struct kseal_patient *patient);
void kseal_check_module(struct kseal_patient *patient);
void kseal_check_ciphers(struct kseal_patient *patient);
void kseal_check_agent(struct kseal_patient *patient);
void kseal_check_interception(struct kseal_patient *patient);
void kseal_check_offload(struct kseal_patient *patient);

#endif /* _KSEAL_DOCTOR_H */
