/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_answer.c - which names exist for whom, and every rule of answer.c */

#include "dns/answer.h"
#include "messages.h"
#include "tap.h"

#include "base/str.h"

static struct zone *zone;
static uint8_t out[DNS_TCP_MAX];
static struct wire_out o;

static void set(const char *net, const char *net_name, const char *sandbox, const char *addr,
		const char *const *names)
{
	struct zone_record rec = {.network_id = net,
				  .network_name = net_name,
				  .sandbox = sandbox,
				  .names = (char *const *)(uintptr_t)names,
				  .generation = 1};
	auto_strv char **addrs = NULL;
	struct ip ip;

	if (addr && strv_split(addr, " ", &addrs) < 0)
		abort();
	for (char **a = addrs; a && *a; a++) {
		if (ip_parse(*a, &ip) < 0)
			abort();
		rec.addr[ip_fam(ip)] = ip;
	}
	if (zone_set(zone, &rec) < 0)
		abort();
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static enum answer ask_in(const struct answer_scope *s, const char *text, unsigned type)
{
	struct msg m = query(text, type, false);
	struct dns_query q;

	o = WIRE_OUT(out, sizeof(out));
	return answer_query(s, m.data, m.len, false, &q, &o);
}

static const char *rcode_names[] = {"NOERROR",	"FORMERR", "SERVFAIL",
				    "NXDOMAIN", "NOTIMP",  "REFUSED"};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The answer as text: rcode, then the sorted data. */
static const char *said(enum answer a)
{
	static char text[4096];
	char data[64][DNAME_TEXT];
	const char *sorted[64];
	struct wire_in in = WIRE_IN(out, o.len);
	struct dname n;
	struct wire_rr rr;
	struct ip ip;
	unsigned count;

	if (a != ANSWER_DONE)
		return a == ANSWER_DROP ? "dropped" : "forwarded";
	in.at = 6;
	count = wire_u16(&in);
	in.at = DNS_HEADER;
	if (out[5])
		wire_name(&in, &n);
	wire_skip(&in, out[5] ? 4 : 0);
	for (unsigned i = 0; i < count && i < 64; i++) {
		sorted[i] = data[i];
		wire_rr(&in, &rr);
		if (in.fail)
			return "unreadable";
		if (rr.ttl != ZONE_TTL)
			return "wrong TTL";
		if (rr.type == TYPE_A || rr.type == TYPE_AAAA) {
			if (rr.rdata_len != (rr.type == TYPE_A ? 4 : 16) ||
			    ip_from_bytes(out + rr.rdata, rr.rdata_len, &ip) < 0)
				return "wrong address";
			ip_str(ip, data[i]);
		} else {
			struct wire_in rd = WIRE_IN(out, o.len);

			rd.at = rr.rdata;
			wire_name(&rd, &n);
			dname_text(&n, data[i]);
		}
	}
	qsort(sorted, count, sizeof(*sorted), by_text);
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", rcode_names[out[3] & 15]);

	for (unsigned i = 0; i < count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", sorted[i]);
	return text;
}

static const char *ask(const char *sandbox, const char *text, unsigned type)
{
	struct answer_scope s = {
		.view = zone_view(zone, sandbox), .external = true, .has_servers = true};

	return said(ask_in(&s, text, type));
}

static void fill(void)
{
	set("n1", "Front", "c1", "172.18.0.2", NAMES("web", "www", "aaaaaaaaaaaa", "web-host"));
	set("n1", "Front", "c2", "172.18.0.3", NAMES("api", "App", "my.svc"));
	set("n1", "Front", "c3", "172.18.0.4", NAMES("api2", "app"));
	set("n2", "back", "c2", "172.19.0.2", NAMES("api", "db-user"));
	set("n2", "back", "c4", "172.19.0.3", NAMES("db", "web"));
	set("n3", "c.d", "c2", "172.20.0.2", NAMES("x"));
	set("n4", "d", "c2", "172.21.0.2", NAMES("x.c", "y"));
	set("n5", "dual", "c5", "172.22.0.2 fd00:22::2", NAMES("both", "pair"));
	set("n5", "dual", "c6", "fd00:22::3", NAMES("six", "pair"));
	set("n5", "dual", "c7", "172.22.0.4", NAMES("four", "pair"));
}

#define ZEROES(last) last ".0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.2.0.0.0.0.d.f.ip6.arpa"

static void names_and_views(void)
{
	static const struct {
		const char *sandbox, *name;
		unsigned type;
		const char *want;
	} t[] = {
		{"c1", "web", TYPE_A, "NOERROR 172.18.0.2"},
		{"c1", "WEB", TYPE_A, "NOERROR 172.18.0.2"},
		{"c1", "www", TYPE_A, "NOERROR 172.18.0.2"},
		{"c1", "aaaaaaaaaaaa", TYPE_A, "NOERROR 172.18.0.2"},
		{"c1", "web-host", TYPE_A, "NOERROR 172.18.0.2"},
		{"c1", "my.svc", TYPE_A, "NOERROR 172.18.0.3"},
		{"c1", "my.svc.front", TYPE_A, "NOERROR 172.18.0.3"},
		{"c1", "web.front", TYPE_A, "NOERROR 172.18.0.2"},
		{"c1", "web.FRONT", TYPE_A, "NOERROR 172.18.0.2"},
		{"c1", "app", TYPE_A, "NOERROR 172.18.0.3 172.18.0.4"},
		{"c1", "app.front", TYPE_A, "NOERROR 172.18.0.3 172.18.0.4"},
		{"c1", "web", TYPE_ANY, "NOERROR 172.18.0.2"},
		/* the same name, no data: never elsewhere */
		{"c1", "web", TYPE_AAAA, "NOERROR"},
		{"c1", "web", TYPE_MX, "NOERROR"},
		{"c1", "web.front", TYPE_HTTPS, "NOERROR"},
		{"c1", "web.front", 16, "NOERROR"},
		{"c1", "web", 33, "NOERROR"},
		/* an alias that is a domain's name */
		{"c1", "my.svc", TYPE_AAAA, "NOERROR"},
		{"c1", "my.svc", TYPE_MX, "NOERROR"},
		{"c1", "my.svc", TYPE_HTTPS, "NOERROR"},
		{"c1", "my.svc", 16, "forwarded"},
		{"c1", "my.svc.front", 16, "NOERROR"},
		/* other networks' names are not seen */
		{"c1", "db", TYPE_A, "forwarded"},
		{"c1", "web.back", TYPE_A, "forwarded"},
		{"c4", "www", TYPE_A, "forwarded"},
		{"c4", "web", TYPE_A, "NOERROR 172.19.0.3"},
		/* c2 is on both: the first network that knows the name answers */
		{"c2", "web", TYPE_A, "NOERROR 172.18.0.2"},
		{"c2", "web.back", TYPE_A, "NOERROR 172.19.0.3"},
		{"c2", "db", TYPE_A, "NOERROR 172.19.0.3"},
		/* splits: the shortest network name first */
		{"c2", "x.c.d", TYPE_A, "NOERROR 172.21.0.2"},
		{"c2", "y.c.d", TYPE_A, "forwarded"},
		{"c2", "x.c", TYPE_A, "NOERROR 172.21.0.2"},
		{"c2", "x", TYPE_A, "NOERROR 172.20.0.2"},
		{"c2", "front", TYPE_A, "forwarded"},
		/* reverse */
		{"c1", "2.0.18.172.in-addr.arpa", TYPE_PTR, "NOERROR web.front"},
		{"c1", "3.0.18.172.in-addr.arpa", TYPE_PTR, "NOERROR api.front"},
		{"c1", "2.0.18.172.in-addr.arpa", TYPE_A, "NOERROR"},
		{"c1", "2.0.19.172.in-addr.arpa", TYPE_PTR, "forwarded"},
		{"c2", "2.0.19.172.in-addr.arpa", TYPE_PTR, "NOERROR api.back"},
		{"c1", "1.0.18.172.in-addr.arpa", TYPE_PTR, "forwarded"},
		/* both families, and one alone */
		{"c5", "both", TYPE_A, "NOERROR 172.22.0.2"},
		{"c5", "BOTH.dual", TYPE_AAAA, "NOERROR fd00:22::2"},
		{"c5", "both", TYPE_ANY, "NOERROR 172.22.0.2 fd00:22::2"},
		{"c5", "both", TYPE_MX, "NOERROR"},
		{"c5", "six", TYPE_AAAA, "NOERROR fd00:22::3"},
		{"c5", "six", TYPE_A, "NOERROR"},
		{"c5", "four", TYPE_A, "NOERROR 172.22.0.4"},
		{"c5", "four", TYPE_AAAA, "NOERROR"},
		{"c5", "pair", TYPE_A, "NOERROR 172.22.0.2 172.22.0.4"},
		{"c5", "pair", TYPE_AAAA, "NOERROR fd00:22::2 fd00:22::3"},
		{"c6", "2.0.22.172.in-addr.arpa", TYPE_PTR, "NOERROR both.dual"},
		{"c6", ZEROES("2"), TYPE_PTR, "NOERROR both.dual"},
		{"c6", ZEROES("3"), TYPE_PTR, "NOERROR six.dual"},
		{"c6", ZEROES("3"), TYPE_AAAA, "NOERROR"},
		{"c6", ZEROES("4"), TYPE_PTR, "forwarded"},
		{"c1", ZEROES("2"), TYPE_PTR, "forwarded"},
		/* nobody's */
		{"c1", "example.com", TYPE_A, "forwarded"},
		{"c1", "example.com", TYPE_MX, "forwarded"},
		{"none", "web", TYPE_A, "forwarded"},
		/* not to be had here */
		{"c1", "web", 252, "REFUSED"},
		{"c1", "web", 251, "REFUSED"},
		{"c1", "web", 41, "REFUSED"},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		is_str(ask(t[i].sandbox, t[i].name, t[i].type), t[i].want, "%s asks %s type %u",
		       t[i].sandbox, t[i].name, t[i].type);
}

static void nowhere_to_ask(void)
{
	struct answer_scope in = {.view = zone_view(zone, "c1")};
	struct answer_scope own = {.view = zone_view(zone, "c1"), .has_servers = true};
	struct answer_scope search = {.view = zone_view(zone, "c1"),
				      .external = true,
				      .has_servers = true,
				      .ndots = true};
	struct answer_scope alone = {.view = zone_view(zone, "c1"), .external = true};

	is_str(said(ask_in(&in, "example.com", TYPE_A)), "NXDOMAIN", "internal: a dotted name");
	is_str(said(ask_in(&in, "nobody", TYPE_A)), "NXDOMAIN", "internal: a single label");
	is_str(said(ask_in(&in, "8.8.8.8.in-addr.arpa", TYPE_PTR)), "NXDOMAIN",
	       "internal: reverse");
	is_str(said(ask_in(&in, "web", TYPE_A)), "NOERROR 172.18.0.2", "internal: a known name");
	is_str(said(ask_in(&in, "my.svc", 16)), "NOERROR", "internal: an alias, another type");
	is_str(said(ask_in(&own, "example.com", TYPE_A)), "forwarded",
	       "internal with servers of its own within");
	is_str(said(ask_in(&search, "web", TYPE_A)), "NOERROR 172.18.0.2", "ndots: a known name");
	is_str(said(ask_in(&search, "nobody", TYPE_A)), "NOERROR", "ndots: a single label");
	is_str(said(ask_in(&search, "nobody", TYPE_AAAA)), "NOERROR", "ndots: of either family");
	is_str(said(ask_in(&search, "nobody", TYPE_MX)), "forwarded", "ndots: another type");
	is_str(said(ask_in(&search, "a.b", TYPE_A)), "forwarded", "ndots: a dotted name");
	is_str(said(ask_in(&alone, "example.com", TYPE_A)), "SERVFAIL", "no server: a dotted name");
	is_str(said(ask_in(&alone, "nobody", TYPE_A)), "NXDOMAIN", "no server: a single label");
	is_str(said(ask_in(&alone, "web", TYPE_A)), "NOERROR 172.18.0.2",
	       "no server: a known name");
}

static void malformed(void)
{
	struct answer_scope s = {
		.view = zone_view(zone, "c1"), .external = true, .has_servers = true};
	struct msg m = query("web", TYPE_A, false);
	struct dns_query q;
	uint8_t exact[64];

	for (size_t len = 0; len < m.len; len++) {
		const char *want = len < DNS_HEADER ? "dropped" : "FORMERR";

		memcpy(exact, m.data, len);
		o = WIRE_OUT(out, sizeof(out));
		is_str(said(answer_query(&s, exact, len, false, &q, &o)), want, "first %zu bytes",
		       len);
	}
	m.data[2] = 0x80;
	o = WIRE_OUT(out, sizeof(out));
	is_str(said(answer_query(&s, m.data, m.len, false, &q, &o)), "dropped", "an answer");
	m.data[2] = 0x28;
	o = WIRE_OUT(out, sizeof(out));
	is_str(said(answer_query(&s, m.data, m.len, false, &q, &o)), "NOTIMP", "an update");
	m.data[2] = 1;
	m.data[m.len - 1] = 3;
	o = WIRE_OUT(out, sizeof(out));
	is_str(said(answer_query(&s, m.data, m.len, false, &q, &o)), "REFUSED", "class CHAOS");
}

static void order_varies(void)
{
	unsigned first[N_FAMILIES][4] = {{0}};
	char ip[48], id[8];

	for (int i = 0; i < 4; i++) {
		snprintf(ip, sizeof(ip), "172.22.0.%d fd00:33::%d", 10 + i, i);
		snprintf(id, sizeof(id), "r%d", i);
		set("n8", "ring", id, ip, NAMES("many"));
	}
	for (int i = 0; i < 400; i++) {
		(void)ask("r0", "many", TYPE_A);
		first[V4][out[DNS_HEADER + 10 + 15] - 10]++;
		(void)ask("r0", "many", TYPE_AAAA);
		first[V6][out[DNS_HEADER + 10 + 27]]++;
	}
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		unsigned *f = first[fam];

		ok(f[0] > 40 && f[1] > 40 && f[2] > 40 && f[3] > 40,
		   "each address comes first: %u %u %u %u", f[0], f[1], f[2], f[3]);
	}
	is_str(ask("r0", "many", TYPE_A), "NOERROR 172.22.0.10 172.22.0.11 172.22.0.12 172.22.0.13",
	       "and all are there");
}

static void changes(void)
{
	char big[300];

	set("n1", "Front", "c1", "172.18.0.9", NAMES("web2"));
	is_str(ask("c2", "web2", TYPE_A), "NOERROR 172.18.0.9", "replaced: the new name");
	is_str(ask("c1", "www", TYPE_A), "forwarded", "replaced: the old alias is gone");
	is_str(ask("c1", "2.0.18.172.in-addr.arpa", TYPE_PTR), "forwarded",
	       "replaced: old address");
	is_str(ask("c1", "9.0.18.172.in-addr.arpa", TYPE_PTR), "NOERROR web2.front", "new address");
	is_str(ask("c2", "web", TYPE_A), "NOERROR 172.19.0.3", "the next network's is seen now");
	set("n1", "Renamed", "c1", "172.18.0.9", NAMES("web2"));
	is_str(ask("c3", "web2.renamed", TYPE_A), "NOERROR 172.18.0.9", "a renamed network");

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	set("n1", "Front", "c1", "172.18.0.9", NAMES("web3", big, "", "a..b", "trailing."));
	is_str(ask("c1", "web3", TYPE_A), "NOERROR 172.18.0.9", "names nobody can ask do no harm");
	is_str(ask("c1", "trailing", TYPE_A), "NOERROR 172.18.0.9", "a final dot is no matter");

	zone_del(zone, "n1", "c3");
	is_str(ask("c1", "app", TYPE_A), "NOERROR 172.18.0.3", "one of two is gone");
	is_str(ask("c3", "web3", TYPE_A), "forwarded", "who left sees it no more");
	zone_del(zone, "n1", "c3");
	zone_del(zone, "nx", "cx");

	set("n5", "dual", "c5", "172.22.0.2 fd00:22::9", NAMES("both"));
	is_str(ask("c5", "both", TYPE_AAAA), "NOERROR fd00:22::9", "the other family's replaced");
	is_str(ask("c5", ZEROES("2"), TYPE_PTR), "forwarded", "its old reverse name is gone");
	set("n5", "dual", "c5", "172.22.0.2", NAMES("both"));
	is_str(ask("c5", "both", TYPE_AAAA), "NOERROR", "and taken away");

	/* an address that moved on before its old owner was removed */
	set("n1", "Front", "c5", "172.18.0.9", NAMES("heir"));
	zone_del(zone, "n1", "c1");
	is_str(ask("c5", "9.0.18.172.in-addr.arpa", TYPE_PTR), "NOERROR heir.front", "the heir's");

	set("n6", "only-view", "c6", NULL, NULL);
	set("n6", "only-view", "c7", "172.23.0.7", NAMES("seen"));
	is_str(ask("c6", "seen", TYPE_A), "NOERROR 172.23.0.7", "nameless, but sees");

	zone_sweep(zone, 1);
	is_str(ask("c6", "seen", TYPE_A), "NOERROR 172.23.0.7", "swept: this generation stays");
	struct zone_record rec = {
		.network_id = "n6", .network_name = "only-view", .sandbox = "c6", .generation = 2};
	is_int(zone_set(zone, &rec), 0, "set again");
	zone_sweep(zone, 2);
	is_int(zone_len(zone), 1, "swept: the others go");
}

static void put(const char *sandbox, const char *addr, const char *name, bool spoke,
		const char *const *links)
{
	struct zone_record rec = {.network_id = "n9",
				  .network_name = "watch",
				  .sandbox = sandbox,
				  .names = (char *const *)(uintptr_t)NAMES(name, "all"),
				  .spoke = spoke,
				  .links = (char *const *)(uintptr_t)links,
				  .generation = 2};

	if (ip_parse(addr, &rec.addr[V4]) < 0 || zone_set(zone, &rec) < 0)
		abort();
}

static void hubs(void)
{
	put("h1", "172.30.0.2", "monitor", false, NULL);
	put("s1", "172.30.0.3", "dev", true, NULL);
	put("s2", "172.30.0.4", "prod", true, NULL);
	is_str(ask("s1", "monitor", TYPE_A), "NOERROR 172.30.0.2", "a spoke finds the hub");
	is_str(ask("h1", "dev", TYPE_A), "NOERROR 172.30.0.3", "and the hub the spoke");
	is_str(ask("s1", "dev", TYPE_A), "NOERROR 172.30.0.3", "a spoke itself");
	is_str(ask("s1", "prod", TYPE_A), "forwarded", "another spoke is nobody");
	is_str(ask("s1", "prod.watch", TYPE_A), "forwarded", "by its whole name, too");
	is_str(ask("s1", "4.0.30.172.in-addr.arpa", TYPE_PTR), "forwarded", "and by its address");
	is_str(ask("h1", "4.0.30.172.in-addr.arpa", TYPE_PTR), "NOERROR prod.watch",
	       "but the hub's");
	is_str(ask("s1", "all", TYPE_A), "NOERROR 172.30.0.2 172.30.0.3",
	       "of a shared name it sees its part");
	put("s1", "172.30.0.3", "dev", false, NULL);
	is_str(ask("s1", "prod", TYPE_A), "NOERROR 172.30.0.4", "once it is a hub, it sees all");
}

static void links(void)
{
	put("l1", "172.30.0.9", "client", false, NAMES("monitor:db", "nobody:gone", "dev:monitor"));
	is_str(ask("l1", "db", TYPE_A), "NOERROR 172.30.0.2", "by the alias");
	is_str(ask("h1", "db", TYPE_A), "forwarded", "which others do not know");
	is_str(ask("l1", "gone", TYPE_A), "forwarded", "of nobody");
	is_str(ask("l1", "monitor", TYPE_A), "NOERROR 172.30.0.3", "an alias goes before a name");
	put("l1", "172.30.0.9", "client", false, NULL);
	is_str(ask("l1", "db", TYPE_A), "forwarded", "taken away");
}

int main(void)
{
	if (zone_new(&zone) < 0)
		return 1;
	fill();
	names_and_views();
	nowhere_to_ask();
	malformed();
	order_varies();
	changes();
	hubs();
	links();
	zone_free(zone);
	return tap_done();
}
