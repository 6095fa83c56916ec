// SPDX-License-Identifier: GPL-2.0
/*
 * The first program in a test guest: loads the modules that reach the host's
 * files, puts a throw-away tmpfs over them, makes that the root and hands over
 * to tests/vm/guest. tests/vm/run builds it statically and puts it into the
 * initramfs as /init, beside /modules/ (in loading order, listed in
 * /modules/order) and /job/ (argv: one argument a line; fs: how to mount).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
	exit(1);	/* the kernel panics, the runner sees the guest die */
}

static void domount(const char *source, const char *target, const char *type,
		    unsigned long flags, const char *data)
{
	if (mkdir(target, 0755) && errno != EEXIST)
		die(target);
	if (mount(source, target, type, flags, data))
		die(target);
}

/* One line of @f without its end, or NULL. */
static char *line(FILE *f, char *buf, size_t len)
{
	if (!f || !fgets(buf, len, f))
		return NULL;
	buf[strcspn(buf, "\n")] = 0;
	return buf;
}

static void load_modules(void)
{
	char path[512] = "/modules/";
	char *name = path + strlen(path);
	FILE *f = fopen("/modules/order", "r");
	int fd;

	while (line(f, name, sizeof(path) - strlen("/modules/"))) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			fprintf(stderr, "init: %s: %s\n", path, strerror(errno));
		close(fd);
	}
	if (f)
		fclose(f);
}

int main(void)
{
	char fs[32] = "", *argv[8] = { NULL };
	char buf[4096];
	FILE *f;
	int fd, i;

	domount("dev", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	if (fd >= 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		if (fd > 2)
			close(fd);
	}
	load_modules();

	f = fopen("/job/fs", "r");
	if (!line(f, fs, sizeof(fs)))
		die("/job/fs");
	fclose(f);
	if (!strcmp(fs, "hostfs"))
		domount("none", "/lower", fs, MS_RDONLY, "/");
	else
		domount("root", "/lower", fs, MS_RDONLY,
			"trans=virtio,version=9p2000.L,cache=loose,msize=512000");

	domount("upper", "/upper", "tmpfs", 0, "size=75%,mode=755");
	mkdir("/upper/data", 0755);
	mkdir("/upper/work", 0755);
	domount("overlay", "/root", "overlay", 0,
		"lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work");
	domount("/dev", "/root/dev", NULL, MS_MOVE, NULL);

	f = fopen("/job/argv", "r");
	for (i = 0; i < 7 && line(f, buf, sizeof(buf)); i++)
		argv[i] = strdup(buf);
	if (!argv[0])
		die("/job/argv");
	fclose(f);

	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		die("entering the root");
	execv(argv[0], argv);
	die(argv[0]);
}
