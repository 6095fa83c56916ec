// SPDX-License-Identifier: GPL-2.0
/*
 * A plaintext echo server in every shape that servers have; it knows nothing of
 * TLS. Usage: echo MODE PORT [ADDRESS]. Every error of accept() and of a
 * connection goes to stdout. Run by the end-to-end tests.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS	4
#define BUFFER	65536

static void die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static int listen_on(int port, const char *address)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool six = strchr(address, ':');
	int fd, one = 1, error;

	fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	inet_pton(six ? AF_INET6 : AF_INET, address, six ? (void *)&in6.sin6_addr : &in.sin_addr);
	error = six ? bind(fd, (struct sockaddr *)&in6, sizeof(in6)) :
		      bind(fd, (struct sockaddr *)&in, sizeof(in));
	if (error)
		die("bind");
	if (listen(fd, 511))
		die("listen");
	return fd;
}

static int take(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		printf("accept: %s\n", strerror(errno));
	return fd;
}

/* Echoes until the end of the stream, then closes. */
static void serve(int fd)
{
	char buffer[BUFFER];
	ssize_t got, put, done;

	while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
		for (done = 0; done < got; done += put) {
			put = write(fd, buffer + done, got - done);
			if (put < 0) {
				printf("write: %s\n", strerror(errno));
				close(fd);
				return;
			}
		}
	}
	if (got < 0)
		printf("read: %s\n", strerror(errno));
	close(fd);
}

static void *blocking(void *arg)
{
	int listener = *(int *)arg;

	for (;;)
		serve(take(listener));
	return NULL;
}

static void timed(int listener)
{
	struct timeval limit = { .tv_sec = 300 };

	setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	blocking(&listener);
}

static void polling(int listener)
{
	struct pollfd polls = { .fd = listener, .events = POLLIN };
	int fd;

	fcntl(listener, F_SETFL, O_NONBLOCK);
	for (;;) {
		if (poll(&polls, 1, -1) < 0) {
			printf("poll: %s\n", strerror(errno));
			continue;
		}
		fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			serve(fd);
		else if (errno != EAGAIN)
			printf("accept: %s\n", strerror(errno));
	}
}

static void threads(int listener)
{
	pthread_t thread;
	int i;

	for (i = 1; i < WORKERS; i++)
		pthread_create(&thread, NULL, blocking, &listener);
	blocking(&listener);
}

static void forking(int listener)
{
	int fd;

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		fd = take(listener);
		if (!fork()) {
			close(listener);
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
}

static void preforked(int listener)
{
	int i;

	for (i = 1; i < WORKERS; i++)
		if (!fork())
			break;
	blocking(&listener);
}

/* The connection crosses exec() as descriptor 0. */
static void executing(int listener, char *self)
{
	char *const args[] = { self, "serve", "0", NULL };
	int fd;

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		fd = take(listener);
		if (!fork()) {
			dup2(fd, 0);
			execv("/proc/self/exe", args);
			_exit(127);
		}
		close(fd);
	}
}

static void daemonised(int listener)
{
	if (fork())
		_exit(0);
	setsid();
	if (fork())
		_exit(0);
	printf("daemon %d\n", (int)getpid());
	blocking(&listener);
}

/* A connection of the epoll servers: what was read and isn't written yet. */
struct connection {
	int fd;
	size_t start, end;
	char buffer[BUFFER];
};

/* Moves data until the kernel says EAGAIN (or once, if @once). Return: false at the end. */
static bool move(struct connection *c, bool once)
{
	ssize_t n;

	do {
		if (c->start == c->end) {
			c->start = 0;
			c->end = 0;
			n = read(c->fd, c->buffer, sizeof(c->buffer));
			if (n > 0)
				c->end = n;
		} else {
			n = write(c->fd, c->buffer + c->start, c->end - c->start);
			if (n > 0)
				c->start += n;
		}
		if (n < 0 && errno != EAGAIN)
			printf("connection: %s\n", strerror(errno));
		if (!n || (n < 0 && errno != EAGAIN))
			return false;
	} while (n > 0 && !once);
	return true;
}

static void arrange(int epoll, struct connection *c, int operation, bool edge)
{
	struct epoll_event event = { .data.ptr = c };

	event.events = edge ? EPOLLIN | EPOLLOUT | EPOLLET :
			      c->start == c->end ? EPOLLIN : EPOLLOUT;
	if (epoll_ctl(epoll, operation, c->fd, &event))
		die("epoll_ctl");
}

static void take_all(int epoll, int listener, bool edge)
{
	struct connection *c;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		c = calloc(1, sizeof(*c));
		c->fd = fd;
		arrange(epoll, c, EPOLL_CTL_ADD, edge);
		if (!edge)
			return;
	}
	if (errno != EAGAIN)
		printf("accept: %s\n", strerror(errno));
}

static void epolling(int listener, bool edge)
{
	struct epoll_event events[64], first = { .events = EPOLLIN | (edge ? EPOLLET : 0) };
	int epoll = epoll_create1(0), n, i;
	struct connection *c;

	fcntl(listener, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &first))
		die("epoll_ctl");
	for (;;) {
		n = epoll_wait(epoll, events, 64, -1);
		if (n < 0)
			printf("epoll_wait: %s\n", strerror(errno));
		for (i = 0; i < n; i++) {
			c = events[i].data.ptr;
			if (!c) {
				take_all(epoll, listener, edge);
			} else if (!move(c, !edge)) {
				close(c->fd);
				free(c);
			} else if (!edge) {
				arrange(epoll, c, EPOLL_CTL_MOD, edge);
			}
		}
	}
}

int main(int argc, char **argv)
{
	int listener;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 3) {
		fprintf(stderr, "usage: echo MODE PORT [ADDRESS]\n");
		return 2;
	}
	if (!strcmp(argv[1], "serve")) {
		serve(atoi(argv[2]));
		return 0;
	}
	listener = listen_on(atoi(argv[2]), argc > 3 ? argv[3] : "127.0.0.1");
	printf("listening\n");
	if (!strcmp(argv[1], "blocking"))
		blocking(&listener);
	else if (!strcmp(argv[1], "timed"))
		timed(listener);
	else if (!strcmp(argv[1], "poll"))
		polling(listener);
	else if (!strcmp(argv[1], "threads"))
		threads(listener);
	else if (!strcmp(argv[1], "fork"))
		forking(listener);
	else if (!strcmp(argv[1], "prefork"))
		preforked(listener);
	else if (!strcmp(argv[1], "exec"))
		executing(listener, argv[0]);
	else if (!strcmp(argv[1], "daemon"))
		daemonised(listener);
	else if (!strcmp(argv[1], "epoll"))
		epolling(listener, false);
	else if (!strcmp(argv[1], "epollet"))
		epolling(listener, true);
	return 2;
}
