/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_others.c - our rule in the chains of other firewalls: where it belongs and nowhere else
 *
 * What it does to packets is proven by test_packets.c and tests/world.
 */

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "loop/loop.h"
#include "loop/spawn.h"
#include "nftables/nft.h"
#include "space.h"
#include "tap.h"

#define RULE                                                                                       \
	"meta mark & 0x02000000 == 0x02000000 counter packets 0 bytes 0 accept comment "           \
	"\"" NFT_PASS_COMMENT "\""

static struct loop *l;
static struct nft *n;
static unsigned told, failed, news;
static char last[128];

static void note(const char *chain, const char *why, void *data)
{
	(void)data;
	told++;
	failed += why != NULL;
	(void)snprintf(last, sizeof(last), "%s", chain);
}

static void others(void *data)
{
	(void)data;
	news++;
}

static int sh(const char *script, struct buf *out)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	return spawn_wait(&s, out);
}

/* how many of our rules are in the first place of this chain, and how many in all */
static bool rule_is(const char *chain, bool want)
{
	auto_free char *cmd = str_printf("nft list chain %s | sed -n 4p | grep -qxF '\t\t" RULE "'",
					 chain),
		       *any = str_printf("nft list chain %s | grep -cF '" NFT_PASS_COMMENT "'",
					 chain);
	auto_buf struct buf out = BUF_INIT(4096);

	if (!cmd || !any)
		return false;
	(void)sh(any, &out);
	return (sh(cmd, NULL) == 0) == want && streq(buf_str(&out), want ? "1\n" : "0\n");
}

static bool marks(const char *what)
{
	auto_free char *cmd =
		str_printf("nft list chain inet atoll pass 2>/dev/null | grep -qF '%s'", what);

	return cmd && sh(cmd, NULL) == 0;
}

static int pass(enum nft_pass p)
{
	told = failed = 0;
	return nft_pass(n, p, note, NULL);
}

/* One chain after the other; what is written there, and whether it denies by default. */
static void each_kind(void)
{
	static const struct {
		const char *make, *chain;
		bool denies;
	} kinds[] = {
		{"table ip filter { chain FORWARD { type filter hook forward priority 0; policy "
		 "drop; ip saddr 10.0.0.0/8 drop; }; }",
		 "ip filter FORWARD", true},
		{"table ip6 filter { chain FORWARD { type filter hook forward priority 0; policy "
		 "drop; }; }",
		 "ip6 filter FORWARD", true},
		{"table inet filter { chain forward { type filter hook forward priority filter; "
		 "policy drop; }; }",
		 "inet filter forward", true},
		{"table inet firewalld { chain filter_FORWARD { type filter hook forward priority "
		 "filter + 10; policy accept; ct state established accept; reject with icmpx "
		 "admin-prohibited; }; }",
		 "inet firewalld filter_FORWARD", true},
		{"table ip filter { chain FORWARD { type filter hook forward priority 0; policy "
		 "accept; tcp dport 80 accept; counter log prefix \"x\" drop; }; }",
		 "ip filter FORWARD", true},
		{"table ip filter { chain FORWARD { type filter hook forward priority 0; policy "
		 "accept; ip saddr 10.0.0.0/8 drop; }; }",
		 "ip filter FORWARD", false},
		{"table ip filter { chain FORWARD { type filter hook forward priority 0; policy "
		 "accept; drop; accept; }; }",
		 "ip filter FORWARD", false},
		{"table ip banned { chain forward { type filter hook forward priority -10; policy "
		 "accept; ip saddr { 192.0.2.1, 192.0.2.9 } drop; }; }",
		 "ip banned forward", false},
		{"table ip filter { chain INPUT { type filter hook input priority 0; policy drop; "
		 "}; }",
		 "ip filter INPUT", false},
		{"table ip mangle { chain FORWARD { type filter hook forward priority mangle; "
		 "policy drop; }; }",
		 "ip mangle FORWARD", false},
		{"table ip filter { chain FORWARD { drop; }; }", "ip filter FORWARD", false},
		{"table ip atoll { chain forward { type filter hook forward priority 0; policy "
		 "drop; }; }",
		 "ip atoll forward", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		auto_free char *make = str_printf("nft '%s'", kinds[i].make);
		auto_buf struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
		bool intact = false, want = kinds[i].denies;

		is_int(sh(make, NULL), 0, "%s", kinds[i].make);
		(void)sh("nft list ruleset", &before);
		is_int(pass(NFT_PASS_ALL), want, "%s", want ? "denies" : "is none of our business");
		ok(told == want && !failed && (!want || streq(last, kinds[i].chain)), "and told");
		ok(rule_is(kinds[i].chain, want), "the rule is %s",
		   want ? "its first" : "not there");
		ok(marks("oifname @nets meta mark set") == want, "what passes is marked, or not");
		is_int(pass(NFT_PASS_ALL), want, "once more");
		ok(told == 0 && rule_is(kinds[i].chain, want), "changes nothing");
		is_int(pass(NFT_PASS_NONE), 0, "none");
		(void)sh("nft list ruleset", &after);
		is_str(buf_str(&after), buf_str(&before), "leaves all as it was");
		ok(!nft_verify(n, &intact) && intact, "ours, too");
		(void)sh("nft delete table $(nft list tables | grep -v 'inet atoll' | cut -c7-)",
			 NULL);
	}
}

static void turn_until(const unsigned *what, unsigned want, int64_t ms)
{
	int64_t end = clock_mono_ns() + ms * NS_PER_MS;

	while (*what < want && clock_mono_ns() < end)
		(void)loop_run_once(l, 20);
}

static void changes(void)
{
	is_int(sh("nft 'table ip filter { chain FORWARD { type filter hook forward priority 0; }; "
		  "}'",
		  NULL),
	       0, "a chain that lets all by");
	turn_until(&news, 1, 1000);
	ok(news == 1, "is told of");
	is_int(pass(NFT_PASS_ALL), 0, "it is left alone");
	is_int(sh("nft 'chain ip filter FORWARD { policy drop; }'", NULL), 0, "its policy changes");
	turn_until(&news, 2, 1000);
	ok(news == 2, "is told of");
	is_int(pass(NFT_PASS_OUT), 1, "now it has our rule");
	ok(marks("oifname @nets ct state established,related meta mark set"), "for what goes out");
	is_int(pass(NFT_PASS_ALL), 1, "for all");
	ok(marks("oifname @nets meta mark set") && !told && rule_is("ip filter FORWARD", true),
	   "without touching the other's chain");
	is_int(sh("nft flush chain ip filter FORWARD", NULL), 0, "flushed");
	turn_until(&news, 3, 1000);
	ok(news == 3, "is told of");
	is_int(pass(NFT_PASS_ALL), 1, "again");
	ok(told == 1 && rule_is("ip filter FORWARD", true), "its rule is back");
	turn_until(&news, 4, 300);
	is_int(news, 3, "what we did ourselves is not told of");
	is_int(sh("nft flush ruleset", NULL), 0, "all is flushed");
	turn_until(&news, 4, 1000);
	ok(marks("oifname @nets meta mark set"), "our table is back as it was");
	is_int(pass(NFT_PASS_ALL), 0, "there is nobody");
	ok(!marks("oifname"), "and nothing is marked any more");
}

/* As iptables-nft writes, and reads, where it is installed. */
static void iptables(void)
{
	static const char *const programs[] = {"iptables-nft", "ip6tables-nft"};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		auto_free char *drop = str_printf("%s -P FORWARD DROP", programs[i]);
		auto_free char *has = str_printf("%s -C FORWARD -m mark --mark 0x2000000/0x2000000 "
						 "-m comment --comment '" NFT_PASS_COMMENT
						 "' -j ACCEPT && %s-save",
						 programs[i], programs[i]);

		if (sh(drop, NULL) != 0) {
			printf("# no %s here\n", programs[i]);
			continue;
		}
		is_int(pass(NFT_PASS_ALL), 1, "%s", drop);
		is_int(sh(has, NULL), 0, "it knows the rule for one of its own");
		is_int(pass(NFT_PASS_NONE), 0, "taken away");
		ok(sh(has, NULL) != 0, "it is not there");
		(void)sh("nft flush ruleset", NULL);
		(void)nft_repair(n, NULL);
	}
}

static void legacy(void)
{
	static const char *const programs[] = {"iptables-legacy", "ip6tables-legacy"};

	ok(!nft_legacy_in_use(), "iptables-legacy is not in use");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		auto_free char *drop =
			str_printf("%s -A FORWARD -s ::/0 -j DROP; %s -P FORWARD DROP", programs[i],
				   programs[i]);
		auto_free char *has = str_printf(
			"%s -S FORWARD | sed -n 2p | grep -q '" NFT_PASS_COMMENT "'", programs[i]);
		auto_free char *accept = str_printf("%s -P FORWARD ACCEPT", programs[i]);

		if (sh(drop, NULL) != 0) {
			printf("# no %s here\n", programs[i]);
			continue;
		}
		ok(nft_legacy_in_use(), "%s", drop);
		is_int(pass(NFT_PASS_ALL), 1, "denies");
		ok(told == 1 && !failed, "%s", last);
		is_int(sh(has, NULL), 0, "our rule is its first");
		ok(marks("oifname @nets meta mark set"), "what passes is marked");
		is_int(pass(NFT_PASS_ALL), 1, "once more");
		is_int(told, 0, "changes nothing");
		is_int(sh(accept, NULL), 0, "its policy changes");
		is_int(pass(NFT_PASS_ALL), 0, "it denies no more");
		ok(sh(has, NULL) != 0, "and our rule is gone");
	}
}

int main(void)
{
	const char *why = space_enter();
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (loop_new(&l) < 0 || nft_open(&n, &e) < 0)
		return 1;
	tx = nft_tx_new(n);
	nft_add(tx, "nets", "\"br1\"");
	is_int(nft_replace(tx, &e), 0, "our table %s", e.msg);
	is_int(nft_watch(n, l, NULL, NULL), 0, "is watched");
	nft_watch_others(n, others, NULL);
	each_kind();
	turn_until(&news, 1, 1000);
	ok(news >= 1, "all of this was told of");
	news = 0;
	changes();
	iptables();
	legacy();
	nft_close(n);
	loop_free(l);
	return tap_done();
}
