/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign.c - our one rule in the chains of other firewalls
 *
 * Theory: nft.h, nft_pass(). A chain of others is concerned if it is a base chain of the forward
 * hook, runs while our mark is on the packet, and denies by default: policy drop, or a last rule
 * that drops or rejects whatever comes. A chain that only singles some packets out (a list of
 * banned addresses) is left alone: what it drops stays dropped.
 *
 * The rule is one that iptables-nft itself could have made, so that it lists, saves and restores
 * it:
 *   -m mark --mark 0x2000000/0x2000000 -m comment --comment "..." -j ACCEPT
 */

#include <netinet/in.h> /* before the kernel's headers, which then leave its names alone */

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "nftables/internal.h"

/* the mark is on a packet between these two: the priorities in BEFORE */
#define MARK_PRIO   (-50)
#define UNMARK_PRIO 49

#define CHAINS_MAX 64
#define COMMENT_UD 0 /* libnftnl's number of a comment in a rule's user data */

#define MARK "meta mark set meta mark | 0x02000000\n"
#define RULE "add rule inet " TABLE " pass "
#define CHAIN(name, prio)                                                                          \
	"add chain inet " TABLE " " name " { type filter hook forward priority " prio "; }\n"      \
	"flush chain inet " TABLE " " name "\n"
#define BEFORE                                                                                     \
	CHAIN("pass", "-50")                                                                       \
	CHAIN("passed", "49")                                                                      \
	"add rule inet " TABLE " passed meta mark & 0x02000000 != 0 "                              \
	"meta mark set meta mark & 0xfdffffff\n" RULE "iifname @nets " MARK

static const char none[] = "", all[] = BEFORE RULE "oifname @nets " MARK,
		  out[] = BEFORE RULE "oifname @nets ct state established,related " MARK;

const char *nft_pass_text(enum nft_pass pass)
{
	switch (pass) {
	case NFT_PASS_NONE:
		return none;
	case NFT_PASS_OUT:
		return out;
	case NFT_PASS_ALL:
		return all;
	}
	return none;
}

/* ---- others' chains ---- */

struct chain {
	uint8_t family;
	bool denies, weird; /* a name that our text could not carry */
	uint64_t ours;	    /* handle of our rule, 0 none */
	char table[64], name[64];
};

struct chains {
	struct chain list[CHAINS_MAX];
	unsigned n;
};

static bool name_ok(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "0123456789_.-");

	return n && n < 64 && !s[n] && strchr(letters, *s);
}

/* Return: does this hook run with our mark */
static bool hook_ok(const struct nlattr *hook)
{
	const struct nlattr *a;
	uint32_t number = UINT32_MAX;
	int prio = INT32_MAX;

	mnl_attr_for_each_nested(a, hook)
	{
		if (mnl_attr_get_type(a) == NFTA_HOOK_HOOKNUM)
			number = ntohl(mnl_attr_get_u32(a));
		else if (mnl_attr_get_type(a) == NFTA_HOOK_PRIORITY)
			prio = (int)ntohl(mnl_attr_get_u32(a));
	}
	return number == NF_INET_FORWARD && prio > MARK_PRIO && prio < UNMARK_PRIO;
}

static int note_chain(const struct nlmsghdr *nh, void *data)
{
	const struct nfgenmsg *nf = mnl_nlmsg_get_payload(nh);
	const char *table = NULL, *name = NULL, *type = NULL;
	uint32_t policy = NF_ACCEPT;
	struct chains *cs = data;
	const struct nlattr *a;
	bool hooked = false;
	struct chain *c;

	mnl_attr_for_each(a, nh, sizeof(*nf))
	{
		switch (mnl_attr_get_type(a)) {
		case NFTA_CHAIN_TABLE:
			table = mnl_attr_get_str(a);
			break;
		case NFTA_CHAIN_NAME:
			name = mnl_attr_get_str(a);
			break;
		case NFTA_CHAIN_TYPE:
			type = mnl_attr_get_str(a);
			break;
		case NFTA_CHAIN_POLICY:
			policy = ntohl(mnl_attr_get_u32(a));
			break;
		case NFTA_CHAIN_HOOK:
			hooked = hook_ok(a);
		}
	}
	if (!hooked || !table || !name || !streq(type, "filter") || cs->n == CHAINS_MAX)
		return MNL_CB_OK;
	if (nf->nfgen_family == NFPROTO_INET
		    ? streq(table, TABLE)
		    : nf->nfgen_family != NFPROTO_IPV4 && nf->nfgen_family != NFPROTO_IPV6)
		return MNL_CB_OK;
	c = &cs->list[cs->n++];
	c->family = nf->nfgen_family;
	c->denies = policy == NF_DROP;
	c->weird = !name_ok(table) || !name_ok(name);
	(void)snprintf(c->table, sizeof(c->table), "%s", table);
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	return MNL_CB_OK;
}

/* ---- their rules ---- */

struct rules {
	uint64_t ours;
	bool last_closes;
};

static const struct nlattr *child(const struct nlattr *of, int type)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, of)
	{
		if (mnl_attr_get_type(a) == type)
			return a;
	}
	return NULL;
}

static bool drops(const struct nlattr *immediate)
{
	const struct nlattr *a = child(immediate, NFTA_IMMEDIATE_DATA);

	a = a ? child(a, NFTA_DATA_VERDICT) : NULL;
	a = a ? child(a, NFTA_VERDICT_CODE) : NULL;
	return a && ntohl(mnl_attr_get_u32(a)) == NF_DROP;
}

static bool refuses(const struct nlattr *target)
{
	const struct nlattr *a = child(target, NFTA_TARGET_NAME);

	return a && (streq(mnl_attr_get_str(a), "REJECT") || streq(mnl_attr_get_str(a), "DROP"));
}

/* Does a rule end every packet that comes to it: nothing but counting and logging before a drop */
static bool closes(const struct nlattr *expressions)
{
	const struct nlattr *e;
	bool end = false;

	mnl_attr_for_each_nested(e, expressions)
	{
		const struct nlattr *name = child(e, NFTA_EXPR_NAME),
				    *data = child(e, NFTA_EXPR_DATA);
		const char *what = name ? mnl_attr_get_str(name) : "";

		if (streq(what, "reject") || (data && streq(what, "immediate") && drops(data)) ||
		    (data && streq(what, "target") && refuses(data)))
			end = true;
		else if (!streq(what, "counter") && !streq(what, "log"))
			return false;
	}
	return end;
}

static bool has_comment(const struct nlattr *userdata)
{
	const uint8_t *p = mnl_attr_get_payload(userdata);
	size_t left = mnl_attr_get_payload_len(userdata);

	while (left >= 2 && left - 2 >= p[1]) {
		if (p[0] == COMMENT_UD && p[1] == sizeof(NFT_PASS_COMMENT) &&
		    !memcmp(p + 2, NFT_PASS_COMMENT, p[1]))
			return true;
		left -= 2u + p[1];
		p += 2 + p[1];
	}
	return false;
}

static int note_rule(const struct nlmsghdr *nh, void *data)
{
	struct rules *r = data;
	const struct nlattr *a;
	uint64_t handle = 0;
	bool ours = false;

	r->last_closes = false;
	mnl_attr_for_each(a, nh, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(a)) {
		case NFTA_RULE_HANDLE:
			handle = be64toh(mnl_attr_get_u64(a));
			break;
		case NFTA_RULE_EXPRESSIONS:
			r->last_closes = closes(a);
			break;
		case NFTA_RULE_USERDATA:
			ours = has_comment(a);
		}
	}
	if (ours)
		r->ours = handle;
	return MNL_CB_OK;
}

static int look(struct chains *ret)
{
	struct dump d = {.type = NFT_MSG_GETCHAIN, .family = NFPROTO_UNSPEC};
	int r = nft_dump(&d, note_chain, ret, sizeof(*ret));

	d.type = NFT_MSG_GETRULE;
	for (unsigned i = 0; r >= 0 && i < ret->n; i++) {
		struct chain *c = &ret->list[i];
		struct rules rules;

		d.family = c->family;
		d.table = c->table;
		d.name = c->name;
		r = nft_dump(&d, note_rule, &rules, sizeof(rules));
		c->ours = rules.ours;
		c->denies = c->denies || rules.last_closes;
	}
	return r;
}

/* filled with zeroes, as rules have it; loop thread only: nft_dump() zeroes what it is given */
static char looked_for[IF_NAMESIZE];

static int find_name(const struct nlmsghdr *nh, void *data)
{
	bool *found = data;

	*found = *found || memmem(mnl_nlmsg_get_payload(nh), mnl_nlmsg_get_payload_len(nh),
				  looked_for, sizeof(looked_for));
	return MNL_CB_OK;
}

int nft_names_link(const char *table, const char *chain, const char *link)
{
	struct dump d = {NFT_MSG_GETRULE, NFPROTO_INET, table, chain};
	bool found = false;
	int r;

	memset(looked_for, 0, sizeof(looked_for));
	(void)snprintf(looked_for, sizeof(looked_for), "%s", link);
	r = nft_dump(&d, find_name, &found, sizeof(found));
	return r < 0 ? r : found;
}

/* ---- our rule ---- */

static const char *family_name(uint8_t family)
{
	return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

static int change(struct nft *n, const struct chain *c, bool add, struct err *e)
{
	auto_free char *text = NULL;

	if (c->weird)
		return err_set(e, ERR_INTERNAL, EINVAL, "its name is not one to write");
	if (add)
		text = str_printf("insert rule %s %s %s meta mark & 0x02000000 == 0x02000000 "
				  "counter accept comment \"" NFT_PASS_COMMENT "\"\n",
				  family_name(c->family), c->table, c->name);
	else
		text = str_printf("delete rule %s %s %s handle %llu\n", family_name(c->family),
				  c->table, c->name, (unsigned long long)c->ours);
	return text ? nft_run(n, text, e) : err_nomem(e);
}

/* The chains that mark: before the first rule of ours elsewhere, and gone after the last. */
static int mark(struct nft *n, enum nft_pass pass, struct err *e)
{
	static const char away[] = "delete chain inet " TABLE " pass\n"
				   "delete chain inet " TABLE " passed\n";
	auto_free char *text = NULL;
	enum nft_pass before = n->pass;
	int r;

	if (pass == before)
		return 0;
	n->pass = pass; /* nft_repair() makes them, too */
	if (!n->chains) /* and nft_replace(), which is yet to come: no gap at a start */
		return 0;
	text = str_printf("%s%s", n->owned == OWNED_YES ? CLAIM : "",
			  pass == NFT_PASS_NONE ? away : nft_pass_text(pass));
	r = text ? nft_run(n, text, e) : err_nomem(e);
	if (r == -ENOENT) /* somebody took the table away */
		r = nft_repair(n, e);
	else if (r >= 0)
		r = nft_learn(n);
	if (r < 0)
		n->pass = before;
	return r;
}

static void tell(nft_pass_fn fn, void *data, const struct chain *c, const char *why)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "%s %s %s", family_name(c->family), c->table, c->name);
	if (fn)
		fn(text, why, data);
}

static void legacy_pass(enum nft_pass pass, int family, nft_pass_fn fn, void *data, int *count)
{
	const char *name = family == AF_INET ? "iptables-legacy FORWARD"
					     : "ip6tables-legacy FORWARD";
	struct err e = {0};
	struct legacy l;
	bool want;

	if (legacy_look(family, &l) < 0 || !l.used)
		return;
	want = l.denies && pass != NFT_PASS_NONE;
	*count += want;
	if (want == l.ours)
		return;
	if (legacy_change(family, want, &e) < 0) {
		if (fn)
			fn(name, e.msg, data);
	} else if (want && fn) {
		fn(name, NULL, data);
	}
}

int nft_pass(struct nft *n, enum nft_pass pass, nft_pass_fn fn, void *data)
{
	static const int families[] = {AF_INET, AF_INET6};
	static struct chains cs; /* loop thread only */
	int r = look(&cs), count = 0;
	struct err e = {0};

	if (r < 0)
		return r;
	for (unsigned i = 0; i < cs.n; i++)
		count += cs.list[i].denies && pass != NFT_PASS_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct legacy l;

		if (legacy_look(families[i], &l) >= 0)
			count += l.used && l.denies && pass != NFT_PASS_NONE;
	}
	if (count && (r = mark(n, pass, &e)) < 0) {
		log_warn("packets cannot be marked for other firewalls: %s", e.msg);
		return r;
	}
	count = 0;
	for (unsigned i = 0; i < cs.n; i++) {
		const struct chain *c = &cs.list[i];
		bool want = c->denies && pass != NFT_PASS_NONE;

		count += want;
		if (want == (c->ours != 0))
			continue;
		if (change(n, c, want, &e) < 0)
			tell(fn, data, c, e.msg);
		else if (want)
			tell(fn, data, c, NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		legacy_pass(pass, families[i], fn, data, &count);
	if (!count && mark(n, NFT_PASS_NONE, &e) < 0)
		log_debug("the chains that mark packets stay: %s", e.msg);
	return count;
}
