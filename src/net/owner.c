/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owner.c - which program has a host port, for the text of an error
 *
 * The kernel's tables of sockets tell the inode (proc(5), /proc/net/tcp), the links of
 * /proc/PID/fd who has it open. A moment later it may be another's: good for a hint, for nothing
 * else.
 */

#include <dirent.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "net/internal.h"

/* A line of the table: column 1 is "0100007F:1F90", the address as the CPU has it in memory, which
 * is not looked at (who has the port on any address is in the way, or near enough), and the port in
 * hex. Column 3 is the state, 0A listening; column 9 the inode. */
static bool has_port(char *line, const char *port, bool tcp, char inode[24])
{
	char *save = NULL, *col = strtok_r(line, " ", &save), *colon;
	bool found = true;

	for (int i = 0; found && col && i <= 9; i++, col = strtok_r(NULL, " ", &save)) {
		colon = i == 1 ? strchr(col, ':') : NULL;
		if (i == 1)
			found = colon && !strcmp(colon + 1, port);
		else if (i == 3)
			found = !tcp || streq(col, "0A");
		else if (i == 9)
			(void)snprintf(inode, 24, "%s", col);
	}
	return found && *inode && !streq(inode, "0");
}

/* @ret: "socket:[N]", as the links of /proc/PID/fd read; false: nobody */
static bool find_socket(const char *table, uint16_t port, bool tcp, char ret[40])
{
	auto_free char *path = str_printf("/proc/thread-self/net/%s", table);
	FILE *f = path ? fopen(path, "re") : NULL;
	char line[512], hex[8], inode[24] = "";
	bool found = false;

	(void)snprintf(hex, sizeof(hex), "%04X", port);
	while (f && !found && fgets(line, sizeof(line), f)) {
		inode[0] = '\0';
		found = has_port(line, hex, tcp, inode);
	}
	if (f)
		(void)fclose(f);
	(void)snprintf(ret, 40, "socket:[%s]", inode);
	return found;
}

static bool has_open(const char *pid, const char *link)
{
	auto_free char *path = str_printf("/proc/%s/fd", pid);
	DIR *d = path ? opendir(path) : NULL;
	struct dirent *de;
	bool found = false;

	while (d && !found && (de = readdir(d))) {
		char to[64];
		ssize_t n = readlinkat(dirfd(d), de->d_name, to, sizeof(to) - 1);

		to[n > 0 ? n : 0] = '\0';
		found = streq(to, link);
	}
	if (d)
		(void)closedir(d);
	return found;
}

static void tell(const char *pid, char *out, size_t size)
{
	auto_free char *path = str_printf("/proc/%s/comm", pid);
	auto_buf struct buf name = BUF_INIT(64);

	if (path && fs_read(path, 32, &name) >= 0)
		(void)snprintf(out, size, " (by %.*s, pid %s)", (int)strcspn(buf_str(&name), "\n"),
			       buf_str(&name), pid);
}

void owner_of_port(const struct net_port *p, char *out, size_t size)
{
	static const char *const tables[][2] = {{"tcp", "tcp6"}, {"udp", "udp6"}};
	bool tcp = p->proto == IPPROTO_TCP;
	bool found = false;
	char link[40];
	struct dirent *de;
	DIR *d;

	out[0] = '\0';
	for (int i = 0; !found && i < 2 && (tcp || p->proto == IPPROTO_UDP); i++)
		found = find_socket(tables[!tcp][i], p->host_port, tcp, link);
	d = found ? opendir("/proc") : NULL;
	while (d && !*out && (de = readdir(d)))
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9' && has_open(de->d_name, link))
			tell(de->d_name, out, size);
	if (d)
		(void)closedir(d);
}
