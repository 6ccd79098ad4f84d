/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_descriptors.c - with more descriptors than select(2) has room for
 *
 * An engine with hundreds of containers: each start opens a context for the container's namespace,
 * and then something that stays. libnftables would end the process on a high descriptor.
 */

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "nftables/nft.h"
#include "space.h"
#include "tap.h"

#define STARTS 300

static int keep(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int main(void)
{
	const struct rlimit files = {FD_SETSIZE * 2, FD_SETSIZE * 2};
	const char *why = space_enter();
	struct nft *n;
	struct err e = {0};
	int i, fd = 0;

	if (why || setrlimit(RLIMIT_NOFILE, &files) < 0)
		return tap_skip_all(why ? why : "the limit of descriptors cannot be raised");
	is_int(nft_open(&n, &e), 0, "a context of the engine's %s", e.msg);
	while (fd >= 0 && fd < FD_SETSIZE)
		fd = keep();
	ok(fd >= FD_SETSIZE, "all low descriptors are taken");
	for (i = 0; i < STARTS && nft_dns_redirect(1053, &e) >= 0; i++)
		(void)keep();
	is_int(i, STARTS, "each container gets its rules %s", e.msg);
	nft_close(n);
	return tap_done();
}
