/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TLS client between its standard input and output and a server on 127.0.0.1,
 * which changes its keys as it goes. tunnel.c moves the data; openssl.c and gnutls.c
 * are the two libraries that it can be built with. Run by the interoperability tests.
 */
#ifndef TUNNEL_H
#define TUNNEL_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * tls_open() - do the handshake; the server's chain and name are verified
 * @fd: connected
 * @name: the server's
 * @ca: PEM file
 * @suite: of TLS 1.3, in the library's words
 */
void tls_open(int fd, const char *name, const char *ca, const char *suite);

/**
 * tls_update() - send a KeyUpdate
 * @request: ask for one in return
 */
void tls_update(bool request);

/* Whole, or the program ends. */
void tls_write(const char *data, size_t len);

/* Return: bytes; 0 after close_notify; -1 if there is no data yet. */
ssize_t tls_read(char *data, size_t len);

/* Is something read from the socket that tls_read() has not been asked for? */
bool tls_pending(void);

/* close_notify */
void tls_end(void);

__attribute__((noreturn, format(printf, 1, 2)))
void tunnel_die(const char *fmt, ...);

#endif
