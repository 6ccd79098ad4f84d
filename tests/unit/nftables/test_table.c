/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_table.c - transactions, the mirror, replacing and repairing; judged by nft(8) */

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "netlink/netns.h"
#include "nftables/nft.h"
#include "space.h"
#include "tap.h"

static struct nft *n;

static int nft(struct buf *out, const char *args, int ns)
{
	auto_free char *line = str_printf("nft %s", args);
	const char *argv[] = {"sh", "-c", line, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	s.netns = ns;
	return line ? spawn_wait(&s, out) : -ENOMEM;
}

/* has the set or map this element, as nft prints it */
static bool has(const char *set, const char *element)
{
	auto_free char *args = str_printf("list set inet atoll %s 2>/dev/null | grep -qF '%s' || "
					  "nft list map inet atoll %s 2>/dev/null | grep -qF '%s'",
					  set, element, set, element);

	return args && nft(NULL, args, -1) == 0;
}

static int add(const char *set, const char *element, struct err *e)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);

	nft_add(tx, set, "%s", element);
	return nft_apply(tx, e);
}

static int del(const char *set, const char *element, struct err *e)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);

	nft_del(tx, set, "%s", element);
	return nft_apply(tx, e);
}

static void opened(void)
{
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	struct err e = {0};
	bool intact = true;

	is_int(nft_open(&n, &e), 0, "opened %s", e.msg);
	ok(!nft_verify(n, &intact) && !intact, "no table yet");
	tx = nft_tx_new(n);
	nft_add(tx, "nets", "\"br1\"");
	nft_add(tx, "nets", "\"br2\"");
	nft_add(tx, "pub4_any", "tcp . 8080 : 172.18.0.2 . 80");
	is_int(nft_replace(tx, &e), 0, "made in one transaction %s", e.msg);
	ok(!nft_verify(n, &intact) && intact, "the table is whole");
	ok(has("nets", "\"br1\"") && has("nets", "\"br2\"") &&
		   has("pub4_any", "tcp . 8080 counter packets 0 bytes 0 : 172.18.0.2 . 80"),
	   "with its elements");
	is_int(nft_apply(tx, &e), 0, "its transaction is empty then");
}

/* Every set and map of the ruleset with an element such as net/ puts there. */
static void elements(void)
{
	static const struct {
		const char *set, *element;
	} rows[] = {
		{"nets", "\"br-0123456789ab\""},
		{"internal", "\"br3\""},
		{"nohost", "\"br3\""},
		{"pair_ok", "\"br3\" . \"br3\""},
		{"iso_gw", "\"br3\" . \"br3\" . 02:42:01:02:03:04"},
		{"uplinks4", "\"eth0\""},
		{"uplinks6", "\"eth0\""},
		{"masq4", "\"br3\""},
		{"masq6", "\"br3\""},
		{"same4", "172.18.0.0/16 . \"br3\""},
		{"same6", "fd00:1::/64 . \"br3\""},
		{"src_ok4", "\"br3\" . 169.254.7.7"},
		{"src_ok6", "\"br3\" . fd00:2::/64"},
		{"snat4", "\"br3\" : 203.0.113.7"},
		{"snat6", "\"br3\" : fd00::7"},
		{"open4", "\"br3\""},
		{"open6", "\"br3\""},
		{"routed4", "172.18.0.2 . tcp . 80"},
		{"routed6", "fd00:1::2 . udp . 53"},
		{"trusted", "\"eth0\" . \"br3\""},
		{"direct4", "172.18.0.2 . tcp . 80"},
		{"direct6", "fd00:1::2 . tcp . 80"},
		{"guard_port", "\"veth1\""},
		{"guard_mac", "\"veth1\" . 02:42:00:00:00:01"},
		{"guard_ip4", "\"veth1\" . 172.18.0.2"},
		{"guard_ip6", "\"veth1\" . fd00:1::2"},
		{"guard_na6", "\"veth1\" . 0xfd000001000000000000000000000002"},
		{"ping4", "\"br3\""},
		{"ping6", "\"br3\""},
		{"pub4_any", "udp . 53 : 172.18.0.2 . 53"},
		{"pub6_any", "sctp . 53 : fd00:1::2 . 53"},
		{"pub4_addr", "127.0.0.1 . tcp . 81 : 172.18.0.2 . 80"},
		{"pub6_addr", "fd00::7 . tcp . 81 : fd00:1::2 . 80"},
		{"range4", "tcp . 9000-9100 : 172.18.0.2"},
		{"range6", "tcp . 9000-9100 : fd00:1::2"},
		{"range4_addr", "127.0.0.1 . tcp . 9000-9100 : 172.18.0.2"},
		{"range6_addr", "fd00::7 . tcp . 9000-9100 : fd00:1::2"},
		{"acl_out", "\"br3\" : drop"},
		{"acl_in", "\"br3\" : accept"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = {0};
		int r = add(rows[i].set, rows[i].element, &e);

		if (r >= 0)
			r = del(rows[i].set, rows[i].element, &e);
		is_int(r, 0, "%s { %s } %s", rows[i].set, rows[i].element, e.msg);
	}
}

static void transactions(void)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);
	struct err e = {0};

	is_int(add("nets", "\"br1\"", &e), 0, "there already: nothing to do");
	is_int(del("nets", "\"absent\"", &e), 0, "not there: nothing to do");
	nft_add(tx, "nets", "\"br3\"");
	nft_add(tx, "masq4", "\"br3\"");
	nft_del(tx, "nets", "\"br2\"");
	is_int(nft_apply(tx, &e), 0, "several at once");
	ok(has("nets", "\"br3\"") && has("masq4", "\"br3\"") && !has("nets", "\"br2\""), "all");
	nft_add(tx, "nets", "\"br4\"");
	nft_add(tx, "nets", "\"br4\"");
	nft_del(tx, "nets", "\"br4\"");
	nft_del(tx, "nets", "\"br3\"");
	nft_add(tx, "nets", "\"br3\"");
	is_int(nft_apply(tx, &e), 0, "there and back");
	ok(has("nets", "\"br3\"") && !has("nets", "\"br4\""), "in their order");
	nft_add(tx, "nets", "\"br5\"");
	nft_add(tx, "masq4", "172.18.0.1 \"}");
	nft_del(tx, "nets", "\"br1\"");
	ok(nft_apply(tx, &e) < 0 && str_has_prefix(e.msg, "the firewall refused a change: "),
	   "one that is not taken: %.60s", e.msg);
	ok(!has("nets", "\"br5\"") && has("nets", "\"br1\""), "leaves all as it was");
	is_int(add("pub4_any", "tcp . 8080 : 172.18.0.9 . 80", &e), -EIO, "a key that is taken");
	ok(has("pub4_any", ": 172.18.0.2 . 80"), "keeps its value");
	is_int(add("nets", "\"br5\"", &e), 0, "the mirror was not fooled");
	ok(has("nets", "\"br5\""), "it is there");
	is_int(del("nets", "\"br5\"", &e), 0, "deleted");
	ok(!has("nets", "\"br5\""), "it is not");
}

/* A thousand ports in one transaction, and again none. */
static void many(void)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);
	int64_t t0 = clock_mono_ns();
	struct err e = {0};

	for (int i = 0; i < 5000; i++)
		nft_add(tx, "pub4_any", "tcp . %d : 172.18.0.2 . %d", 20000 + i, i + 1);
	is_int(nft_apply(tx, &e), 0, "5000 elements in %.0f ms %s",
	       (double)(clock_mono_ns() - t0) / 1e6, e.msg);
	ok(has("pub4_any", "tcp . 24999"), "are there");
	for (int i = 0; i < 5000; i++)
		nft_del(tx, "pub4_any", "tcp . %d : 172.18.0.2 . %d", 20000 + i, i + 1);
	is_int(nft_apply(tx, &e), 0, "and gone %s", e.msg);
	ok(!has("pub4_any", "tcp . 24999") && has("pub4_any", "tcp . 8080"), "the one is left");
	for (int i = 0; i < 1200; i++) /* more than a context is used for */
		if (add("nets", "\"often\"", &e) < 0 || del("nets", "\"often\"", &e) < 0)
			break;
	is_str(e.msg, "", "thousands of transactions");
}

/* Kernel and libnftables know tables that are their owner's alone. */
static bool owned(void)
{
	return nft(NULL, "list table inet atoll | grep -q 'flags owner'", -1) == 0;
}

static void taken_away(void)
{
	static const char *const ways[] = {"delete table inet atoll", "flush ruleset",
					   "flush table inet atoll",
					   "delete element inet atoll nets '{ \"br1\" }'"};
	struct err e = {0};
	bool intact;

	is_int(nft(NULL, "add table ip foreign", -1), 0, "somebody else's table");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);

		if (owned()) {
			ok((nft(NULL, ways[i], -1) == 0) == (i == 1), "%s: refused", ways[i]);
			ok(!nft_verify(n, &intact) && intact, "the table is whole");
			continue;
		}
		is_int(nft(NULL, ways[i], -1), 0, "%s", ways[i]);
		ok(!nft_verify(n, &intact) && !intact, "is seen");
		if (i < 2) { /* the transaction itself stumbles over it */
			nft_add(tx, "nets", "\"new%zu\"", i);
			is_int(nft_apply(tx, &e), 0, "the next change repairs %s", e.msg);
			ok(has("nets", i ? "\"new1\"" : "\"new0\""), "and is made");
		} else {
			is_int(nft_repair(n, &e), 0, "repaired %s", e.msg);
		}
		ok(!nft_verify(n, &intact) && intact, "the table is whole");
		ok(has("nets", "\"br1\"") && has("pub4_any", "tcp . 8080"), "with all it had");
	}
}

/* A new life knows nothing of the elements of the last; strangers' tables stay. */
static void replaced(void)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	struct err e = {0};

	bool was = owned();

	is_int(nft(NULL, "add table ip foreign", -1), 0, "somebody else's table");
	nft_close(n);
	is_int(nft_open(&n, &e), 0, "the next life");
	ok(has("nets", "\"br1\"") && !owned(), "the table stayed, nobody's");
	tx = nft_tx_new(n);
	nft_add(tx, "nets", "\"br7\"");
	is_int(nft_replace(tx, &e), 0, "is replaced %s", e.msg);
	ok(owned() == was, "and owned again, if it was");
	ok(has("nets", "\"br7\"") && !has("nets", "\"br1\""), "whole");
	nft_add(tx, "absent", "\"br8\"");
	ok(nft_replace(tx, &e) < 0, "one that is not taken");
	ok(has("nets", "\"br7\""), "leaves the old one");
	is_int(nft_delete(n), 0, "deleted");
	is_int(nft_delete(n), 0, "twice is fine");
	is_int(nft_repair(n, &e), 0, "made again %s", e.msg);
	is_int(nft_delete(n), 0, "and deleted");
	(void)nft(&out, "list tables", -1);
	is_str(buf_str(&out), "table ip foreign\n", "only ours");
	nft_close(n);
	nft_close(NULL);
}

/* The four rules of a container's namespace, twice. */
static void redirect(void)
{
	auto_close int ns = -EBADF;
	struct netns_visit v;
	struct err e = {0};

	is_int(netns_create(SPACE_DIR "/ns", &ns, &e), 0, "a container's namespace");
	for (unsigned port = 4001; port <= 4002; port++) {
		auto_buf struct buf out = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
		int r;

		if (netns_enter(ns, &v) < 0)
			return;
		r = nft_dns_redirect((uint16_t)port, &e);
		netns_leave(&v);
		is_int(r, 0, "carried to port %u %s", port, e.msg);
		(void)nft(&out, "list ruleset", ns);
		(void)buf_printf(&want,
				 "table ip atoll_dns {\n\tchain out {\n"
				 "\t\ttype filter hook output priority raw; policy accept;\n"
				 "\t\tip daddr 127.0.0.11 udp dport 53 udp dport set %u\n"
				 "\t\tip daddr 127.0.0.11 tcp dport 53 tcp dport set %u\n"
				 "\t\tip saddr 127.0.0.11 udp sport %u udp sport set 53\n"
				 "\t\tip saddr 127.0.0.11 tcp sport %u tcp sport set 53\n\t}\n}\n",
				 port, port, port, port);
		is_str(buf_str(&out), buf_str(&want), "and nothing else is there");
	}
}

int main(void)
{
	const char *why = space_enter();

	if (why)
		return tap_skip_all(why);
	opened();
	elements();
	transactions();
	many();
	taken_away();
	replaced();
	redirect();
	return tap_done();
}
