/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the subcommands of the kseal tool share: their entry points, arming a
 * socket, messages, and the parsers of their arguments.
 */
#ifndef _KSEAL_CLI_H
#define _KSEAL_CLI_H

#include <argp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <linux/kseal.h>

#ifndef KSEAL_VERSION
#define KSEAL_VERSION "0.1.0"
#endif

/* Where the agent answers a reload: an abstract unix socket, see agent/main.c. */
#define KSEAL_RELOAD_SOCKET	"kseal-reload-%08x"

#define KSEAL_ADDRESS_LEN	(INET6_ADDRSTRLEN + sizeof("[]%4294967295:65535"))
#define KSEAL_MESSAGE_LEN	512

/* The exit status of a command line that can't be understood. */
#define KSEAL_EXIT_USAGE	2

int kseal_cmd_run(int argc, char **argv);
int kseal_cmd_attach(int argc, char **argv);
int kseal_cmd_status(int argc, char **argv);
int kseal_cmd_info(int argc, char **argv);
int kseal_cmd_rekey(int argc, char **argv);
int kseal_cmd_top(int argc, char **argv);
int kseal_cmd_metrics(int argc, char **argv);
int kseal_cmd_doctor(int argc, char **argv);
int kseal_cmd_reload(int argc, char **argv);

void kseal_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kseal_parse_no_arguments(const struct argp *argp, int argc, char **argv);
bool kseal_parse_port(const char *text, uint16_t *port);
bool kseal_parse_number(const char *text, uint64_t *number);
bool kseal_parse_profile(const char *text, char profile[KSEAL_PROFILE_MAX]);
void kseal_format_address(const struct sockaddr *address, char *text, size_t size);
void kseal_tame(char *text);
void kseal_process_name(pid_t pid, char *name, size_t size);

/**
 * enum kseal_kind - what a file descriptor is, seen by who wants to seal it
 * @KSEAL_NOT_SOCKET: no socket at all
 * @KSEAL_OTHER: a socket that takes no TCP connections
 * @KSEAL_TCP: an IPv4 or IPv6 TCP socket
 * @KSEAL_UNSEALABLE: takes TCP connections, but no ULP (MPTCP, SMC)
 */
enum kseal_kind {
	KSEAL_NOT_SOCKET,
	KSEAL_OTHER,
	KSEAL_TCP,
	KSEAL_UNSEALABLE,
};

/**
 * struct kseal_socket - what is known about a socket to be sealed
 * @kind: see there; the rest is set for KSEAL_TCP and KSEAL_UNSEALABLE only
 * @port: the local port, 0 while unbound
 * @listening: it is in TCP_LISTEN
 * @address: "192.0.2.1:443", "[::]:443"
 */
struct kseal_socket {
	enum kseal_kind kind;
	uint16_t port;
	bool listening;
	char address[KSEAL_ADDRESS_LEN];
};

void kseal_look(int fd, struct kseal_socket *info);
bool kseal_armed(int fd, char profile[KSEAL_PROFILE_MAX]);
int kseal_arm(int fd, const char *profile, char why[KSEAL_MESSAGE_LEN]);
int kseal_arm_connector(int fd, const char *profile, const char *name,
			char why[KSEAL_MESSAGE_LEN]);

int kseal_send_fd(int socket, int fd, int error);
int kseal_receive_fd(int socket, int *error);

int kseal_filter_install(bool connects);

int kseal_kick(const ino_t *inodes, size_t count);

#endif /* _KSEAL_CLI_H */
