/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tables.c - each table: put, put again, walked in order, deleted; clashes and cascades */

#include <netinet/in.h>

#include "base/buf.h"
#include "base/str.h"
#include "state/tables.h"
#include "tap.h"

static struct db *d;
static struct buf seen = BUF_INIT(1 << 16);

/* What the last walk saw, and its result. */
static const char *walked(int r)
{
	static char text[2048];

	(void)snprintf(text, sizeof(text), "%s%s", buf_str(&seen), r ? "!" : "");
	buf_clear(&seen);
	return text;
}

static const char *or_null(const char *s)
{
	return s ? s : "NULL";
}

/* ---- networks and what belongs to them ---- */

static int see_network(const struct network_row *r, void *data)
{
	(void)buf_printf(&seen, "%s:%s:%d:%lld:%s:%s ", r->id, r->name, (int)r->phase,
			 (long long)r->created_ns, or_null(r->bridge), r->spec_json);
	return data && streq(r->id, data) ? 5 : 0;
}

static const char *networks(void)
{
	return walked(network_each(d, see_network, NULL, NULL));
}

static int see_endpoint(const struct endpoint_row *r, void *data)
{
	char ip4[IP_STR], ip6[IP_STR];

	(void)data;
	(void)buf_printf(&seen, "%s:%s:%s:%d:%d:%s:%s:%s ", r->id, r->network_id, r->container_id,
			 (int)r->phase, r->attached, ip_str(r->addr[V4], ip4),
			 ip_str(r->addr[V6], ip6), r->spec_json);
	return 0;
}

static const char *endpoints(void)
{
	return walked(endpoint_each(d, see_endpoint, NULL, NULL));
}

static void network_rows(void)
{
	struct network_row a = {"n1", "front", PHASE_MAKING, 20, "br-1", "{}"},
			   b = {"n2", "host", PHASE_READY, 10, NULL, "{\"x\":1}"},
			   same_name = {"n3", "front", PHASE_READY, 30, NULL, "{}"},
			   same_bridge = {"n3", "back", PHASE_READY, 30, "br-1", "{}"},
			   bad_phase = {"n4", "bad", 7, 30, NULL, "{}"};
	struct err e = {0};

	is_str(networks(), "", "no network");
	ok(!network_put(d, &a, &e) && !network_put(d, &b, &e), "two %s", e.msg);
	is_str(networks(), "n2:host:2:10:NULL:{\"x\":1} n1:front:1:20:br-1:{} ", "the older first");
	a.phase = PHASE_READY;
	a.spec_json = "{\"y\":2}";
	is_int(network_put(d, &a, &e), 0, "put again %s", e.msg);
	is_str(networks(), "n2:host:2:10:NULL:{\"x\":1} n1:front:2:20:br-1:{\"y\":2} ",
	       "it is as it is now");
	is_int(network_put(d, &same_name, &e), -EEXIST, "a name once");
	is_int(e.kind, ERR_CONFLICT, "told so");
	is_int(network_put(d, &same_bridge, &e), -EEXIST, "a bridge once");
	is_int(network_put(d, &bad_phase, &e), -EINVAL, "no such phase: %s", e.msg);
	is_int(network_each(d, see_network, (void *)(uintptr_t) "n2", NULL), 5,
	       "a walk ends when it is told to");
	buf_clear(&seen);
	is_int(network_del(d, "absent", &e), 0, "deleting what is not there");
}

#define LAST4                                                                                      \
	{                                                                                          \
		0, 0xffffffff, 4                                                                   \
	}
#define LAST6                                                                                      \
	{                                                                                          \
		0xffffull << 48, 0xffff, 6                                                         \
	}

static void endpoint_rows(void)
{
	struct endpoint_row a = {"e1", "n1", "c1", PHASE_READY, true, {LAST4, {0}}, "{}"},
			    b = {"e2", "n1", "c2", PHASE_READY, false, {{0}, {0}}, "{}"},
			    c = {"e3", "n2", "c1", PHASE_READY, false, {{0}, {0}}, "{}"},
			    rests = {"e4", "n1", "c3", PHASE_READY, false, {{0}, {0}}, "{}"},
			    twice = {"e5", "n1", "c1", PHASE_READY, false, {{0}, {0}}, "{}"},
			    same_addr = {"e5", "n1", "c9", PHASE_READY, true, {LAST4, {0}}, "{}"},
			    other_net = {"e5", "n2", "c9", PHASE_READY, true, {LAST4, {0}}, "{}"},
			    nowhere = {"e6", "n9", "c9", PHASE_READY, true, {LAST4, LAST6}, "{}"};
	struct err e = {0};

	ok(!endpoint_put(d, &a, &e) && !endpoint_put(d, &b, &e) && !endpoint_put(d, &c, &e),
	   "three %s", e.msg);
	is_str(endpoints(), "e1:n1:c1:2:1:255.255.255.255::{} e2:n1:c2:2:0:::{} e3:n2:c1:2:0:::{} ",
	       "in the order they came");
	is_int(endpoint_put(d, &rests, &e), 0, "several without an address %s", e.msg);
	is_int(endpoint_put(d, &twice, &e), -EEXIST, "a container once on a network");
	is_int(endpoint_put(d, &same_addr, &e), -EEXIST, "an address once on a network");
	is_int(endpoint_put(d, &other_net, &e), 0, "but on another %s", e.msg);
	is_int(endpoint_put(d, &nowhere, &e), -ENOENT, "on no network: %s", e.msg);
	a.addr[V4] = (struct ip){0};
	a.addr[V6] = (struct ip)LAST6;
	a.attached = false;
	is_int(endpoint_put(d, &a, &e), 0, "put again");
	ok(str_has_prefix(endpoints(), "e1:n1:c1:2:0::ffff::ffff:{} "), "at its old place");
	is_int(endpoint_del(d, "e1", &e), 0, "deleted");
	is_int(endpoint_del(d, "e1", &e), 0, "twice");
	is_int(network_del(d, "n1", &e), 0, "its network goes");
	is_str(endpoints(), "e3:n2:c1:2:0:::{} e5:n2:c9:2:1:255.255.255.255::{} ",
	       "and takes its own along");
}

/* ---- ports and sandboxes ---- */

static int see_port(const struct port_row *r, void *data)
{
	char ip[IP_STR];

	(void)data;
	(void)buf_printf(&seen, "%s:%u:%s:%u-%u:%u ", r->container_id, r->proto,
			 ip_str(r->host_ip, ip), r->host_port, r->host_port_end, r->port);
	return 0;
}

static const char *ports(void)
{
	return walked(port_each(d, see_port, NULL, NULL));
}

static void port_rows(void)
{
	struct port_row a = {"c1", IPPROTO_TCP, {0, 0, 4}, 8080, 8080, 80},
			udp = {"c2", IPPROTO_UDP, {0, 0, 4}, 8080, 8080, 80},
			one_ip = {"c2", IPPROTO_TCP, {0, 0, 6}, 8080, 8089, 80},
			taken = {"c2", IPPROTO_TCP, {0, 0, 4}, 8080, 8080, 81},
			zero = {"c1", IPPROTO_TCP, {0, 0, 4}, 0, 0, 80},
			backwards = {"c1", IPPROTO_TCP, {0, 0, 4}, 90, 80, 80};
	struct err e = {0};

	ok(!port_put(d, &a, &e) && !port_put(d, &udp, &e) && !port_put(d, &one_ip, &e),
	   "three of one number %s", e.msg);
	is_str(ports(),
	       "c1:6:0.0.0.0:8080-8080:80 c2:17:0.0.0.0:8080-8080:80 c2:6::::8080-8089:80 ",
	       "by protocol and address");
	is_int(port_put(d, &taken, &e), -EEXIST, "one that is another's");
	is_str(e.msg, "the store: port 8080 is another container's", "told so");
	a.port = 81;
	is_int(port_put(d, &a, &e), 0, "its owner may put it again");
	ok(str_has_prefix(ports(), "c1:6:0.0.0.0:8080-8080:81 "), "with another port inside");
	is_int(port_put(d, &zero, &e), -EINVAL, "none is not a port");
	is_int(port_put(d, &backwards, &e), -EINVAL, "nor a range that runs back");
	is_int(port_del_container(d, "c2", &e), 0, "all of a container");
	is_str(ports(), "c1:6:0.0.0.0:8080-8080:81 ", "go");
	is_int(port_del_container(d, "c2", &e), 0, "twice");
}

static int see_sandbox(const struct sandbox_row *r, void *data)
{
	(void)data;
	(void)buf_printf(&seen, "%s:%u ", r->container_id, r->dns_port);
	return 0;
}

static void sandbox_rows(void)
{
	struct sandbox_row a = {"c1", 0}, b = {"c2", 65535};
	struct err e = {0};

	ok(!sandbox_put(d, &a, &e) && !sandbox_put(d, &b, &e), "two %s", e.msg);
	a.dns_port = 5353;
	is_int(sandbox_put(d, &a, &e), 0, "put again");
	is_str(walked(sandbox_each(d, see_sandbox, NULL, NULL)), "c1:5353 c2:65535 ",
	       "as they are");
	ok(!sandbox_del(d, "c1", &e) && !sandbox_del(d, "c1", &e), "deleted twice");
	is_str(walked(sandbox_each(d, see_sandbox, NULL, NULL)), "c2:65535 ", "one is left");
}

/* ---- containers, images, volumes ---- */

static int see_container(const struct container_row *r, void *data)
{
	(void)data;
	(void)buf_printf(&seen, "%s:%s:%d:%lld:%s:%s:%s ", r->id, r->name, (int)r->phase,
			 (long long)r->created_ns, or_null(r->image_id), r->spec_json,
			 r->state_json);
	return 0;
}

static const char *containers(void)
{
	return walked(container_each(d, see_container, NULL, NULL));
}

static void container_rows(void)
{
	struct container_row a = {"c1", "web", PHASE_MAKING, 5, "sha256:1", "{\"s\":1}", "{}"},
			     b = {"c0", "db", PHASE_READY, 5, NULL, "{}", "{}"},
			     clash = {"c9", "web", PHASE_READY, 1, NULL, "{}", "{}"};
	struct err e = {0};

	ok(!container_put(d, &a, &e) && !container_put(d, &b, &e), "two %s", e.msg);
	is_str(containers(), "c0:db:2:5:NULL:{}:{} c1:web:1:5:sha256:1:{\"s\":1}:{} ",
	       "of one moment: by id");
	is_int(container_put(d, &clash, &e), -EEXIST, "a name once");
	is_int(container_put_state(d, "c1", PHASE_REMOVING, "{\"x\":1}", &e), 0, "its state");
	ok(strstr(containers(), "c1:web:3:5:sha256:1:{\"s\":1}:{\"x\":1} "), "and nothing else");
	is_int(container_put_state(d, "c9", PHASE_READY, "{}", &e), -ENOENT, "of one not there: %s",
	       e.msg);
	a.name = "renamed";
	is_int(container_put(d, &a, &e), 0, "renamed");
	clash.name = "web";
	is_int(container_put(d, &clash, &e), 0, "its old name is free %s", e.msg);
	ok(!container_del(d, "c0", &e) && !container_del(d, "c1", &e) &&
		   !container_del(d, "c9", &e) && !container_del(d, "c9", &e),
	   "deleted");
	is_str(containers(), "", "all");
}

static int see_image(const struct image_row *r, void *data)
{
	(void)data;
	(void)buf_printf(&seen, "%s:%lld:%lld:%s:%s:%d ", r->id, (long long)r->created_ns,
			 (long long)r->size, r->layers_json, r->config_json, r->hidden);
	return 0;
}

static int see_tag(const char *tag, const char *image_id, void *data)
{
	(void)data;
	(void)buf_printf(&seen, "%s=%s ", tag, image_id);
	return 0;
}

static const char *tags(void)
{
	return walked(tag_each(d, see_tag, NULL, NULL));
}

static void image_rows(void)
{
	struct image_row a = {"sha256:1", 7, 1ll << 40, "[]", "{\"a\":1}", false},
			 b = {"sha256:2", 3, 0, "[\"x\"]", "{}", true};
	struct err e = {0};

	ok(!image_put(d, &a, &e) && !image_put(d, &b, &e), "two %s", e.msg);
	is_str(walked(image_each(d, see_image, NULL, NULL)),
	       "sha256:2:3:0:[\"x\"]:{}:1 sha256:1:7:1099511627776:[]:{\"a\":1}:0 ",
	       "the older first");
	ok(!tag_put(d, "x:1", "sha256:1", &e) && !tag_put(d, "y:1", "sha256:2", &e), "tags %s",
	   e.msg);
	is_int(tag_put(d, "x:1", "sha256:2", &e), 0, "a tag moves");
	is_str(tags(), "x:1=sha256:2 y:1=sha256:2 ", "to the other image");
	is_int(tag_put(d, "z:1", "sha256:9", &e), -ENOENT, "of no image: %s", e.msg);
	ok(!tag_del(d, "y:1", &e) && !tag_del(d, "y:1", &e), "deleted twice");
	is_int(image_del(d, "sha256:2", &e), 0, "an image goes");
	is_str(tags(), "", "with its tags");
	is_int(image_del(d, "sha256:1", &e), 0, "the other");
	is_str(walked(image_each(d, see_image, NULL, NULL)), "", "none is left");
}

static int see_volume(const struct volume_row *r, void *data)
{
	(void)data;
	(void)buf_printf(&seen, "%s:%d:%lld:%d:%s ", r->name, (int)r->phase,
			 (long long)r->created_ns, r->anonymous, r->spec_json);
	return 0;
}

static void volume_rows(void)
{
	struct volume_row a = {"data", PHASE_READY, 9, false, "{}"},
			  b = {"0123", PHASE_MAKING, 8, true, "{\"x\":1}"};
	struct err e = {0};

	ok(!volume_put(d, &a, &e) && !volume_put(d, &b, &e), "two %s", e.msg);
	is_str(walked(volume_each(d, see_volume, NULL, NULL)),
	       "0123:1:8:1:{\"x\":1} data:2:9:0:{} ", "the older first");
	b.phase = PHASE_READY;
	is_int(volume_put(d, &b, &e), 0, "put again");
	is_int(volume_del(d, "data", &e), 0, "deleted");
	is_str(walked(volume_each(d, see_volume, NULL, NULL)), "0123:2:8:1:{\"x\":1} ",
	       "one is left");
}

/* ---- what all have in common ---- */

static int delete_it(const struct volume_row *r, void *data)
{
	unsigned *n = data;

	++*n;
	return volume_del(d, r->name, NULL);
}

static int walk_within(const struct volume_row *r, void *data)
{
	(void)r;
	return volume_each(d, see_volume, data, NULL);
}

static void within_walks(void)
{
	struct volume_row r = {"v0", PHASE_READY, 1, false, "{}"};
	unsigned n = 0;

	ok(!volume_del(d, "0123", NULL) && !volume_put(d, &r, NULL), "one");
	r.name = "v1";
	is_int(volume_put(d, &r, NULL), 0, "and another");
	is_str(walked(volume_each(d, walk_within, NULL, NULL)),
	       "v0:2:1:0:{} v1:2:1:0:{} v0:2:1:0:{} v1:2:1:0:{} ", "a walk within a walk");
	is_int(volume_each(d, delete_it, &n, NULL), 0, "deleting while walking");
	is_int(n, 2, "meets each once");
	is_str(walked(volume_each(d, see_volume, NULL, NULL)), "", "none is left");
}

static void hostile_texts(void)
{
	struct volume_row r = {"x'); DROP TABLE volume; --", PHASE_READY, 1, false,
			       "{\"\xc3\xa9\":\"'\\\"\"}"};
	struct volume_row nothing = {NULL, PHASE_READY, 1, false, "{}"};
	struct err e = {0};

	is_int(volume_put(d, &r, &e), 0, "a name with SQL in it %s", e.msg);
	is_str(walked(volume_each(d, see_volume, NULL, NULL)),
	       "x'); DROP TABLE volume; --:2:1:0:{\"\xc3\xa9\":\"'\\\"\"} ", "is a name");
	is_int(volume_put(d, &nothing, &e), -EINVAL, "none is refused: %s", e.msg);
}

int main(void)
{
	struct err e = {0};

	if (db_open(":memory:", &d, &e) < 0) {
		printf("# %s\n", e.msg);
		return 1;
	}
	network_rows();
	endpoint_rows();
	port_rows();
	sandbox_rows();
	container_rows();
	image_rows();
	volume_rows();
	within_walks();
	hostile_texts();
	db_close(d);
	buf_done(&seen);
	return tap_done();
}
