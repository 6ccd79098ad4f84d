/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * legacy.c - our rule in the FORWARD chain of iptables-legacy
 *
 * Its tables are in the kernel beside nft's, and nobody is told when they change. Looking costs two
 * system calls; the rule is changed by the program, which alone can write those tables.
 * Source: linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h
 */

#include <netinet/in.h> /* before the kernel's headers, which then leave its names alone */

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/fs.h"
#include "loop/spawn.h"
#include "nftables/internal.h"

#define ENTRIES_MAX (8u << 20)

/* Asking the kernel for the table would make it: only where it is. */
static bool in_use(int family)
{
	auto_buf struct buf names = BUF_INIT(4096);
	const char *path = family == AF_INET ? "/proc/thread-self/net/ip_tables_names"
					     : "/proc/thread-self/net/ip6_tables_names";

	return fs_read(path, 4095, &names) >= 0 && strstr(buf_str(&names), "filter\n");
}

bool nft_legacy_in_use(void)
{
	return in_use(AF_INET) || in_use(AF_INET6);
}

/* both families have the same structures but for the entries' own head */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
		       offsetof(struct ipt_get_entries, entrytable) ==
			       offsetof(struct ip6t_get_entries, entrytable) &&
		       IPT_SO_GET_INFO == IP6T_SO_GET_INFO &&
		       IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES,
	       "iptables and ip6tables");

/* @at: the entry that is the chain's policy */
static bool policy_drops(int family, const uint8_t *at, size_t room)
{
	size_t head = family == AF_INET ? sizeof(struct ipt_entry) : sizeof(struct ip6t_entry);
	struct xt_standard_target t;

	if (room < head + sizeof(t))
		return false;
	memcpy(&t, at + head, sizeof(t));
	return t.verdict == -NF_DROP - 1;
}

static int read_table(int family, int s, struct legacy *ret)
{
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct ipt_getinfo info = {.name = "filter"};
	socklen_t len = sizeof(info);
	auto_free struct ipt_get_entries *all = NULL;
	size_t begin, end;
	uint8_t *at;

	if (getsockopt(s, level, IPT_SO_GET_INFO, &info, &len) < 0)
		return -errno;
	if (info.size > ENTRIES_MAX)
		return -EFBIG;
	len = (socklen_t)(offsetof(struct ipt_get_entries, entrytable) + info.size);
	all = calloc(1, len + sizeof(*all));
	if (!all)
		return -ENOMEM;
	memcpy(all->name, info.name, sizeof(all->name));
	all->size = info.size;
	if (getsockopt(s, level, IPT_SO_GET_ENTRIES, all, &len) < 0)
		return -errno; /* EAGAIN: changed meanwhile */
	begin = info.hook_entry[NF_INET_FORWARD];
	end = info.underflow[NF_INET_FORWARD];
	if (begin > end || end > info.size)
		return -EPROTO;
	at = (uint8_t *)all->entrytable;
	ret->denies = policy_drops(family, at + end, info.size - end) ||
		      memmem(at + begin, end - begin, "REJECT", sizeof("REJECT"));
	ret->ours = memmem(at + begin, end - begin, NFT_PASS_COMMENT, sizeof(NFT_PASS_COMMENT));
	return 0;
}

int legacy_look(int family, struct legacy *ret)
{
	auto_close int s = -EBADF;

	*ret = (struct legacy){.used = in_use(family)};
	if (!ret->used)
		return 0;
	s = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	return s < 0 ? -errno : read_table(family, s, ret);
}

int legacy_change(int family, bool add, struct err *e)
{
	const char *argv[] = {family == AF_INET ? "iptables-legacy" : "ip6tables-legacy",
			      "-w",
			      "2",
			      add ? "-I" : "-D",
			      "FORWARD",
			      "-m",
			      "mark",
			      "--mark",
			      "0x2000000/0x2000000",
			      "-m",
			      "comment",
			      "--comment",
			      NFT_PASS_COMMENT,
			      "-j",
			      "ACCEPT",
			      NULL};
	auto_buf struct buf said = BUF_INIT(4096);
	struct spawn s = SPAWN_INIT;
	int r;

	s.argv = argv;
	r = spawn_wait(&s, &said);
	if (r == 0)
		return 0;
	return r < 0 ? err_sys(e, -r, "cannot run %s", argv[0])
		     : err_set(e, ERR_INTERNAL, EIO, "%s: %.*s", argv[0], 200, buf_str(&said));
}
