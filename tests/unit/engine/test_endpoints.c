/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_endpoints.c - what a create or connect body asks of a network; links to other containers */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "tap.h"
#include "world.h"

static struct world w;

static const char *text(struct ip ip)
{
	static char out[IP_STR];

	return ip_str(ip, out);
}

static void whole(void)
{
	struct container *c = world_container(&w, "web", "{\"Hostname\": \"h\"}", "{}");
	auto_json json_t *cfg = json_of(
		"{\"IPAMConfig\": {\"IPv4Address\": \"10.0.0.5\", \"IPv6Address\": \"fd00::5\", "
		"\"LinkLocalIPs\": [\"169.254.1.1\", \"fe80::1\"]}, \"MacAddress\": "
		"\"02:42:0a:00:00:05\", \"GwPriority\": -7, \"DriverOpts\": {\"a\": \"b\"}, "
		"\"Aliases\": [\"www\"], \"Links\": [\"db:database\"]}");
	struct endpoint_spec s;
	struct err e = {0};

	is_int(endpoint_spec_parse(c, cfg, &s, &e), 0, "all of it %s", e.msg);
	is_str(text(s.ip[V4]), "10.0.0.5", "IPv4");
	is_str(text(s.ip[V6]), "fd00::5", "IPv6");
	ok(strv_len(s.link_local) == 2 && streq(s.link_local[1], "fe80::1"), "link-local ones");
	ok(!memcmp(s.mac, "\x02\x42\x0a\x00\x00\x05", 6), "MAC");
	is_int(s.gw_priority, -7, "priority");
	is_str(json_string_value(json_object_get(s.driver_opts, "a")), "b", "options");
	ok(strv_has(s.aliases, "www") && strv_has(s.links, "db:database"), "alias and link");
	is_str(s.hostname, "h", "hostname");
	endpoint_spec_done(&s);
	is_int(endpoint_spec_parse(c, NULL, &s, &e), 0, "nothing asked");
	ok(!ip_set(s.ip[V4]) && !ip_set(s.ip[V6]) && !s.gw_priority && !s.link_local,
	   "nothing chosen");
	endpoint_spec_done(&s);
}

static void refused(void)
{
	static const struct {
		const char *body, *text;
	} rows[] = {
		{"{\"IPAMConfig\": {\"IPv4Address\": \"10.0.0\"}}",
		 "invalid endpoint settings:\ninvalid IPv4 address: 10.0.0"},
		{"{\"IPAMConfig\": {\"IPv4Address\": \"fd00::1\"}}",
		 "invalid endpoint settings:\ninvalid IPv4 address: fd00::1"},
		{"{\"IPAMConfig\": {\"IPv6Address\": \"10.0.0.1\"}}",
		 "invalid endpoint settings:\ninvalid IPv6 address: 10.0.0.1"},
		{"{\"MacAddress\": \"nonsense\"}", "invalid MAC address: nonsense"},
		{"{\"GwPriority\": 2147483648}", "invalid GwPriority: 2147483648"},
		{"{\"GwPriority\": -2147483649}", "invalid GwPriority: -2147483649"},
		{"{\"DriverOpts\": {\"a\": 1}}", "json: cannot unmarshal number into Go struct "
						 "field EndpointSettings.DriverOpts of "
						 "type string"},
		{"[]", "json: cannot unmarshal into Go struct field "
		       "NetworkingConfig.EndpointsConfig of type network.EndpointSettings"},
	};
	struct container *c = world_container(&w, "bad", "{}", "{}");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *cfg = json_of(rows[i].body);
		struct endpoint_spec s;
		struct err e = {0};

		ok(endpoint_spec_parse(c, cfg, &s, &e) < 0 && e.kind == ERR_INVALID, "refused: %s",
		   rows[i].body);
		ok(streq(e.msg, rows[i].text), "with Docker's text");
	}
}

static void links(void)
{
	static const struct {
		const char *link, *text; /* NULL: fine */
	} rows[] = {
		{"db", NULL},
		{"db:database", NULL},
		{"/db:/app/database", NULL}, /* as old clients write it */
		{"nobody:x", "could not get container for nobody: No such container: nobody"},
		{":x", "bad format for links: :x"},
		{"db:", "bad format for links: db:"},
		{"guest:x", "cannot link to guest: it has no network of its own"},
		{"onhost:x", "cannot link to onhost: it has no network of its own"},
	};
	struct err e = {0};

	(void)world_container(&w, "db", "{}", "{}");
	(void)world_container(&w, "guest", "{}", "{\"NetworkMode\": \"container:db\"}");
	(void)world_container(&w, "onhost", "{}", "{\"NetworkMode\": \"host\"}");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *host = str_printf("{\"Links\": [\"%s\"]}", rows[i].link),
			       *name = str_printf("linked%zu", i);
		struct container *c = world_container(&w, name, "{}", host);
		int r;

		e = (struct err){0};
		r = links_check(c, &e);
		if (rows[i].text)
			ok(r < 0 && !strncmp(e.msg, rows[i].text, strlen(rows[i].text)), "%s: %s",
			   rows[i].link, e.msg);
		else
			is_int(r, 0, "%s is fine %s", rows[i].link, e.msg);
	}
	e = (struct err){0};
	is_err(links_check(world_container(&w, "h", "{}",
					   "{\"NetworkMode\": \"host\", \"Links\": "
					   "[\"db\"]}"),
			   &e),
	       e, ERR_INVALID,
	       "conflicting options: host type networking can't be used with links. This would "
	       "result in undefined behavior");
}

int main(void)
{
	world_open(&w);
	whole();
	refused();
	links();
	world_close(&w);
	return tap_done();
}
