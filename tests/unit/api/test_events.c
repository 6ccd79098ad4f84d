/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_events.c - GET /events: what is past, its filters, a reader that is slow, what happens now
 */

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/engine.h"
#include "http/client.h"
#include "serve.h"
#include "tap.h"

#define MANY 1000 /* as many as the engine remembers: more than a stream's queue takes */

static char now[48];

static void some(struct engine *en)
{
	int64_t ns;

	engine_event(en, "container", "create", "aaa1",
		     json_pack("{s:s,s:s,s:s}", "name", "web", "image", "nginx:1", "team", "red"));
	engine_event(en, "container", "exec_start: sh -c x", "aaa1",
		     json_pack("{s:s,s:s}", "name", "web", "image", "nginx:1"));
	engine_event(en, "network", "create", "bbb2",
		     json_pack("{s:s,s:s}", "name", "net", "type", "bridge"));
	engine_event(en, "image", "tag", "sha256:cc", json_pack("{s:s}", "name", "nginx:1"));
	engine_event(en, "volume", "destroy", "vol", NULL);
	ns = clock_real_ns();
	(void)snprintf(now, sizeof(now), "%lld.%09lld", (long long)(ns / NS_PER_S),
		       (long long)(ns % NS_PER_S));
}

/* "type action" of each event, joined by commas */
static void summary(const char *text, struct buf *out, json_t **first)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		json_t *j = NULL;

		if (json_read(text, len, &j, NULL) < 0) {
			(void)buf_puts(out, "broken");
			return;
		}
		(void)buf_printf(out, "%s%s %s", out->len ? ", " : "",
				 json_string_value(json_object_get(j, "Type")),
				 json_string_value(json_object_get(j, "Action")));
		if (first && !*first)
			*first = json_incref(j);
		json_decref(j);
		text += len + (text[len] == '\n');
	}
}

static void ask(const char *filters, struct buf *out, json_t **first)
{
	auto_(http_client_free) struct http_client *c = NULL;
	struct http_call call = {.method = "GET"};
	auto_buf struct buf path = BUF_INIT(4096);
	struct http_resp r;
	struct err e = {0};

	(void)buf_printf(&path, "/v1.41/events?since=1&until=%s&filters=", now);
	(void)http_url_escape(&path, filters);
	call.path = buf_str(&path);
	if (http_client_new(serve_host(), NULL, &c, &e) < 0 ||
	    http_client_call(c, &call, &r, &e) < 0) {
		printf("# %s\n", e.msg);
		return;
	}
	if (r.status == 200)
		summary(buf_str(&r.body), out, first);
	http_resp_done(&r);
}

static void filters(void)
{
	static const struct {
		const char *filters, *events;
	} table[] = {
		{"", "container create, container exec_start: sh -c x, network create, image tag, "
		     "volume destroy"},
		{"{\"type\":[\"network\"]}", "network create"},
		{"{\"type\":{\"network\":true,\"volume\":true}}", "network create, volume destroy"},
		{"{\"event\":[\"create\"]}", "container create, network create"},
		{"{\"event\":[\"exec_start\"]}", "container exec_start: sh -c x"},
		{"{\"container\":[\"aaa\"]}", "container create, container exec_start: sh -c x"},
		{"{\"container\":[\"web\"],\"event\":[\"create\"]}", "container create"},
		{"{\"network\":[\"net\"]}", "network create"},
		{"{\"volume\":[\"vol\"]}", "volume destroy"},
		{"{\"image\":[\"nginx\"],\"type\":[\"image\"]}", "image tag"},
		{"{\"image\":[\"nginx:1\"]}",
		 "container create, container exec_start: sh -c x, image tag"},
		{"{\"label\":[\"team=red\"]}", "container create"},
		{"{\"scope\":[\"swarm\"]}", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		auto_buf struct buf out = BUF_INIT(1 << 20);

		ask(table[i].filters, &out, NULL);
		is_str(buf_str(&out), table[i].events, "events%s%s",
		       *table[i].filters ? " of " : "", table[i].filters);
	}
}

static const char *field(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

static void fields(void)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);
	auto_json json_t *container = NULL, *network = NULL;
	int64_t s, ns;

	ask("{\"type\":[\"container\"]}", &out, &container);
	is_str(field(container, "status"), "create", "status, for old clients");
	is_str(field(container, "id"), "aaa1", "id");
	is_str(field(container, "from"), "nginx:1", "from");
	is_str(field(container, "scope"), "local", "scope");
	is_str(field(json_object_get(container, "Actor"), "ID"), "aaa1", "Actor.ID");
	is_str(field(json_object_get(json_object_get(container, "Actor"), "Attributes"), "name"),
	       "web", "Actor.Attributes");
	s = json_integer_value(json_object_get(container, "time"));
	ns = json_integer_value(json_object_get(container, "timeNano"));
	ok(s > 1600000000 && ns / NS_PER_S == s, "time and timeNano");
	ask("{\"type\":[\"network\"]}", &out, &network);
	ok(network && !json_object_get(network, "status") && !json_object_get(network, "id"),
	   "a network's event never had those of old");
}

/* ---- what happens while somebody listens ---- */

static void many(struct engine *en)
{
	auto_free char *long_name = calloc(1, 1001);

	memset(long_name, 'n', 1000);
	for (int i = 0; i < MANY; i++)
		engine_event(en, "container", i == MANY - 1 ? "last" : "die", "ddd4",
			     json_pack("{s:s}", "name", long_name));
}

/* Reads until @text was seen. Return: how often @word was. */
static unsigned read_until(int fd, const char *text, const char *word)
{
	static char seen[4 << 20];
	size_t got = 0;
	unsigned n = 0;

	seen[0] = '\0';
	while (!strstr(got > 4096 ? seen + got - 4096 : seen, text) && got < sizeof(seen) - 1) {
		ssize_t r = recv(fd, seen + got, MIN(sizeof(seen) - 1 - got, (size_t)2048), 0);

		if (r <= 0)
			break;
		got += (size_t)r;
		seen[got] = '\0';
	}
	for (const char *p = seen; (p = strstr(p, word)); p++)
		n++;
	return n;
}

static void live(void)
{
	int fd = serve_raw();
	const char get[] = "GET /events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D "
			   "HTTP/1.1\r\nHost: x\r\n\r\n";

	ok(send(fd, get, sizeof(get) - 1, MSG_NOSIGNAL) > 0, "somebody listens");
	is_int(read_until(fd, "\r\n\r\n", "200 OK"), 1, "the head comes at once");
	serve_call(many);
	is_int(read_until(fd, "\"Action\":\"last\"", "\"Action\""), MANY,
	       "a slow reader gets all, more than its queue takes at once");
	(void)close(fd);
}

static void replay(void)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);
	int64_t ns = clock_real_ns();

	(void)snprintf(now, sizeof(now), "%lld.%09lld", (long long)(ns / NS_PER_S),
		       (long long)(ns % NS_PER_S));
	ask("{\"event\":[\"last\"]}", &out, NULL);
	is_str(buf_str(&out), "container last", "the last of what is past");
	buf_clear(&out);
	ask("", &out, NULL);
	is_int(out.len, MANY * strlen("container die, ") - strlen("die, ") + strlen("last"),
	       "all that is remembered comes, and the stream ends");
}

/* "until" in the future: the stream ends by itself */
static void until(void)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);
	int64_t ns = clock_real_ns() + 200 * NS_PER_MS;

	(void)snprintf(now, sizeof(now), "%lld.%09lld", (long long)(ns / NS_PER_S),
		       (long long)(ns % NS_PER_S));
	ask("{\"type\":[\"network\"]}", &out, NULL);
	is_str(buf_str(&out), "", "nothing of that kind is remembered");
	ok(clock_real_ns() >= ns, "and the answer ended at its time");
}

int main(void)
{
	if (!serve_start(some))
		return tap_skip_all("the server cannot be started");
	filters();
	fields();
	live();
	replay();
	until();
	serve_stop();
	return tap_done();
}
