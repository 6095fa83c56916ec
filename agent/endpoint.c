// SPDX-License-Identifier: GPL-2.0
/*
 * An HTTP endpoint for a collector, by libmicrohttpd: GET /metrics, and GET /agent for
 * kseal metrics, which knows the module's part itself.
 * Called by main.c. The socket is made before the agent confines itself, as it may make
 * none afterwards but those for itself; the one thread that serves starts after that,
 * and is confined like the others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "endpoint.h"
#include "metrics.h"

#define CONNECTIONS	16
#define OF_A_CLIENT	4	/* of these: of one address of the internet */
#define TIMEOUT		10	/* seconds without a byte */
#define BACKLOG		16
#define TYPE		"application/openmetrics-text; version=1.0.0; charset=utf-8"

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* "/path", "192.0.2.1:9464", "[2001:db8::1]:9464". Returns the length, 0 for none of them. */
static socklen_t parse(const char *where, union address *a)
{
	char host[INET6_ADDRSTRLEN], end;
	unsigned int port;

	memset(a, 0, sizeof(*a));
	if (*where == '/') {
		if (strlen(where) >= sizeof(a->un.sun_path))
			return 0;
		a->un.sun_family = AF_UNIX;
		strcpy(a->un.sun_path, where);
		return sizeof(a->un);
	}
	if (sscanf(where, "[%45[0-9a-fA-F:.]]:%5u%c", host, &port, &end) == 2 &&
	    port >= 1 && port <= 65535 && inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		return sizeof(a->in6);
	}
	if (sscanf(where, "%45[0-9.]:%5u%c", host, &port, &end) == 2 &&
	    port >= 1 && port <= 65535 && inet_pton(AF_INET, host, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		return sizeof(a->in);
	}
	return 0;
}

/**
 * kseal_endpoint_check() - could there be an endpoint?
 * @where: an absolute path, or ADDRESS:PORT, an IPv6 address in brackets
 *
 * Return: 0, or -EINVAL if it is neither.
 */
int kseal_endpoint_check(const char *where)
{
	union address a;

	return parse(where, &a) ? 0 : -EINVAL;
}

/*
 * A socket that an agent has left behind, and nothing else, is removed: network
 * namespaces share their files, so the agent of another one may listen on it.
 */
static void remove_stale(const union address *a, socklen_t size)
{
	struct stat st;
	int fd;

	if (lstat(a->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, &a->any, size) < 0 && errno == ECONNREFUSED)
		unlink(a->un.sun_path);
	close(fd);
}

/**
 * kseal_endpoint_open() - make the socket
 * @where: good for kseal_endpoint_check()
 *
 * One in the file system is for root and the agent's own group.
 *
 * Return: a descriptor, or a negative errno; -EADDRINUSE if somebody else has it.
 */
int kseal_endpoint_open(const char *where)
{
	const int on = 1;
	union address a;
	socklen_t size = parse(where, &a);
	int fd, ret;

	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (a.any.sa_family == AF_UNIX)
		remove_stale(&a, size);
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &a.any, size) < 0 || listen(fd, BACKLOG) < 0 ||
	    (a.any.sa_family == AF_UNIX && chmod(where, 0660) < 0)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned int status,
			       char *text, size_t size)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ret;

	if (!r) {
		free(text);
		return MHD_NO;
	}
	if (status == MHD_HTTP_OK)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, TYPE);
	ret = MHD_queue_response(connection, status, r);
	MHD_destroy_response(r);
	return ret;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection,
				  const char *url, const char *method, const char *version,
				  const char *upload, size_t *upload_size, void **state)
{
	bool all = strcmp(url, "/metrics") == 0;
	unsigned int status = MHD_HTTP_OK;
	size_t size = 0;
	char *text;
	FILE *f;

	(void)data;
	(void)version;
	(void)upload;
	(void)state;
	/* a body is read by nobody */
	if (*upload_size)
		return MHD_NO;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		status = MHD_HTTP_METHOD_NOT_ALLOWED;
	else if (!all && strcmp(url, "/agent") != 0)
		status = MHD_HTTP_NOT_FOUND;
	f = open_memstream(&text, &size);
	if (!f)
		return MHD_NO;
	if (status == MHD_HTTP_OK)
		kseal_metrics_write(f, all);
	else
		fputs("GET /metrics\n", f);
	if (fclose(f) != 0)
		return MHD_NO;
	return respond(connection, status, text, size);
}

/**
 * kseal_endpoint_start() - serve, in a thread
 * @fd: of kseal_endpoint_open(); the endpoint's from here on, even on failure
 *
 * Return: the endpoint, or NULL.
 */
struct MHD_Daemon *kseal_endpoint_start(int fd)
{
	unsigned int of_a_client = OF_A_CLIENT;
	socklen_t size = sizeof(int);
	struct MHD_Daemon *d;
	int domain;

	/* Who may use a socket in the file system has no address, and is trusted. */
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX)
		of_a_client = 0;
	d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL,
			     MHD_OPTION_LISTEN_SOCKET, fd,
			     MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
			     MHD_OPTION_PER_IP_CONNECTION_LIMIT, of_a_client,
			     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)TIMEOUT,
			     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)8192,
			     MHD_OPTION_END);
	if (!d)
		close(fd);
	return d;
}

/**
 * kseal_endpoint_stop() - end the thread
 * @endpoint: started, or NULL
 */
void kseal_endpoint_stop(struct MHD_Daemon *endpoint)
{
	if (endpoint)
		MHD_stop_daemon(endpoint);
}
