/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward.c - the host forwards for containers, and stays no router for anybody else
 *
 * Where forwarding was off and we switch it on, the links that were there become uplinks of that
 * family, which the firewall never routes among themselves. Their names stand in a file below the
 * exec-root, for later lives. IPv4 has one switch. IPv6 has one since ever, which makes the host
 * deaf to router advertisements unless accept_ra is 2, and a better one a link since Linux 6.17:
 * force_forwarding (Documentation/networking/ip-sysctl.rst).
 */

#include <dirent.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

static const char *const words[N_FAMILIES] = {"forwarding", "forwarding6"};
static const char *const sets[N_FAMILIES] = {"uplinks4", "uplinks6"};

static int note_link(const struct rtnl_link *l, void *data)
{
	bool marked = l->group == GROUP_BRIDGE || l->group == GROUP_ENDPOINT ||
		      l->group == GROUP_FREE || l->group == GROUP_DEAD;

	if (!streq(l->name, "lo") && !marked)
		(void)buf_printf(data, "%s\n", l->name);
	return 0;
}

static bool is_on(const char *key)
{
	char first = netns_sysctl_first(key);

	return first && first != '0';
}

/* A link that listens to router advertisements goes on doing so as a router. */
static void keep_listening(void)
{
	DIR *d = opendir("/proc/sys/net/ipv6/conf");
	struct dirent *de;

	while (d && (de = readdir(d))) {
		auto_free char *key = NULL;

		if (de->d_name[0] == '.')
			continue;
		key = str_printf("net/ipv6/conf/%s/accept_ra", de->d_name);
		if (key && netns_sysctl_first(key) == '1' && netns_sysctl(key, "2") < 0)
			log_warn("router advertisements are not listened to any more link=%s",
				 de->d_name);
	}
	if (d)
		(void)closedir(d);
}

static const char *const force_all = "net/ipv6/conf/all/force_forwarding";

static int write_switch(int fam, const char *value)
{
	int r;

	if (fam == V4)
		return netns_sysctl("net/ipv4/ip_forward", value);
	r = netns_sysctl(force_all, value); /* the links of now and those to come */
	if (r >= 0)
		r = netns_sysctl("net/ipv6/conf/default/force_forwarding", value);
	if (r != -ENOENT)
		return r;
	if (value[0] == '1')
		keep_listening();
	return netns_sysctl("net/ipv6/conf/all/forwarding", value);
}

static bool forwards(int fam)
{
	return fam == V4 ? is_on("net/ipv4/ip_forward")
			 : is_on("net/ipv6/conf/all/forwarding") || is_on(force_all);
}

static int note_links(struct net *n, const char *mark, struct buf *names, struct err *e)
{
	int r = rtnl_link_each(n->rtnl, note_link, names);

	if (r >= 0)
		r = buf_err(names);
	if (r < 0)
		return err_sys(e, -r, "cannot list the host's links");
	/* the mark first: who finds it with forwarding off takes it for an unfinished beginning */
	r = fs_write(mark, buf_str(names), names->len, 0600);
	return r < 0 ? err_sys(e, -r, "cannot write %s", mark) : 0;
}

static void each_name(struct nft_tx *tx, int fam, struct buf *names, bool del)
{
	char *save = NULL;

	for (char *name = names->len ? strtok_r(names->data, "\n", &save) : NULL; name;
	     name = strtok_r(NULL, "\n", &save))
		if (!strpbrk(name, "\"\\*")) /* would be read as something else */
			(del ? nft_del : nft_add)(tx, sets[fam], "\"%s\"", name);
}

static int tell_firewall(struct net *n, int fam, struct buf *names, bool del, struct err *e)
{
	auto_(nft_tx_free) struct nft_tx *own = n->booting ? NULL : nft_tx_new(n->nft);
	struct nft_tx *tx = n->booting ? n->booting : own;

	if (!tx)
		return err_nomem(e);
	each_name(tx, fam, names, del);
	return own ? nft_apply(own, e) : 0;
}

int forwarding_on(struct net *n, int fam, struct err *e)
{
	auto_free char *mark = str_printf("%s/%s", n->config.exec_root, words[fam]);
	auto_buf struct buf names = BUF_INIT(1 << 20);
	bool on = forwards(fam);
	int r = 0;

	if (!mark)
		return err_nomem(e);
	if (!n->config.ip_forward || n->switched[fam])
		return 0;
	if (on && !fs_exists(mark)) /* it was on without us */
		return 0;
	if (!on)
		r = note_links(n, mark, &names, e);
	else if ((r = fs_read(mark, 1 << 20, &names)) < 0)
		(void)err_sys(e, -r, "cannot read %s", mark);
	if (r >= 0)
		r = tell_firewall(n, fam, &names, false, e);
	if (r < 0)
		return r;
	if (!on) {
		r = write_switch(fam, "1");
		if (r < 0)
			return err_sys(e, -r, "cannot switch on IPv%d forwarding",
				       fam == V6 ? 6 : 4);
		log_info("forwarding was off and is on now family=IPv%d; the host's own "
			 "interfaces are not routed among each other",
			 fam == V6 ? 6 : 4);
	}
	n->switched[fam] = true;
	return 0;
}

int forwarding_resume(struct net *n, struct err *e)
{
	auto_free char *mark = str_printf("%s/%s", n->config.exec_root, words[V6]);
	int r = mark ? forwarding_on(n, V4, e) : err_nomem(e);

	return r >= 0 && fs_exists(mark) ? forwarding_on(n, V6, e) : r;
}

/* Off before the firewall forgets the uplinks; the mark last, so that a life that ends here is
 * taken for an unfinished beginning. */
static void switch_off(struct net *n, int fam, bool table_stays)
{
	auto_free char *mark = str_printf("%s/%s", n->config.exec_root, words[fam]);
	auto_buf struct buf names = BUF_INIT(1 << 20);
	struct err e = {0};

	if (!mark || !n->switched[fam])
		return;
	if (write_switch(fam, "0") < 0) {
		log_warn("forwarding cannot be switched off again family=IPv%d", fam == V6 ? 6 : 4);
		return;
	}
	n->switched[fam] = false;
	if (table_stays && fs_read(mark, 1 << 20, &names) >= 0 &&
	    tell_firewall(n, fam, &names, true, &e) < 0)
		log_warn("uplinks stay in the firewall: %s", e.msg);
	if (fs_unlink(mark) < 0)
		log_warn("%s cannot be removed", mark);
}

void forwarding_settle(struct net *n)
{
	const struct network *nw;

	list_for_each (nw, &n->networks, node)
		if (nw->fam[V6].on && !nw->spec.internal && nw->driver->publishes)
			return;
	switch_off(n, V6, true);
}

void forwarding_off(struct net *n)
{
	for (int fam = 0; fam < N_FAMILIES; fam++)
		switch_off(n, fam, false);
}
