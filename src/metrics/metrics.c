/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics.c - what is counted, and the page */

#include "metrics/metrics.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "engine/engine.h"
#include "http/router.h"
#include "http/server.h"
#include "metrics/text.h"

#define PAGE_MAX (4u << 20)

/* requests of one route with one status */
struct hit {
	const struct route *route; /* NULL: of none */
	unsigned status;
	uint64_t n;
	double seconds;
};

/* Docker's histograms: an action is a request */
static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
static const struct {
	const char *method, *pattern, *action;
} actions[] = {
	{"GET", "/containers/{id}/changes", "changes"}, {"POST", "/commit", "commit"},
	{"POST", "/containers/create", "create"},	{"DELETE", "/containers/{id}", "delete"},
	{"POST", "/containers/{id}/start", "start"},
};
struct histogram {
	uint64_t buckets[ARRAY_SIZE(bounds)], n;
	double seconds;
};

struct metrics {
	struct engine *en;
	const struct http_server *server;
	struct event_sub *sub;
	uint64_t events;
	struct hit *hits;
	size_t n_hits;
	struct histogram actions[ARRAY_SIZE(actions)];
	double started; /* seconds since 1970 */
};

/* ---- counting ---- */

static void on_event(const struct event *ev, void *data)
{
	struct metrics *m = data;

	(void)ev;
	m->events++;
}

int metrics_new(struct engine *en, struct metrics **ret, struct err *e)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return err_nomem(e);
	m->en = en;
	m->started = (double)clock_real_ns() / NS_PER_S;
	if (engine_events_subscribe(en, on_event, m, &m->sub) < 0) {
		free(m);
		return err_nomem(e);
	}
	*ret = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	engine_events_unsubscribe(m->sub);
	free(m->hits);
	free(m);
}

void metrics_of_server(struct metrics *m, const struct http_server *s)
{
	m->server = s;
}

/* NULL: out of memory, it is not counted. */
static struct hit *hit_of(struct metrics *m, const struct route *route, unsigned status)
{
	struct hit *more;

	for (size_t i = 0; i < m->n_hits; i++)
		if (m->hits[i].route == route && m->hits[i].status == status)
			return &m->hits[i];
	more = reallocarray(m->hits, m->n_hits + 1, sizeof(*more));
	if (!more)
		return NULL;
	m->hits = more;
	m->hits[m->n_hits] = (struct hit){.route = route, .status = status};
	return &m->hits[m->n_hits++];
}

static void observe(struct histogram *h, double seconds)
{
	h->n++;
	h->seconds += seconds;
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		h->buckets[i] += seconds <= bounds[i];
}

void metrics_request(struct http_req *r, unsigned status, int64_t took_ns, void *metrics)
{
	struct metrics *m = metrics;
	const struct route *route = http_mark(r);
	struct hit *h = hit_of(m, route, status);
	double seconds = (double)took_ns / NS_PER_S;

	if (h) {
		h->n++;
		h->seconds += seconds;
	}
	for (size_t i = 0; route && status >= 200 && status < 300 && i < ARRAY_SIZE(actions); i++)
		if (streq(route->pattern, actions[i].pattern) &&
		    streq(route->method, actions[i].method))
			observe(&m->actions[i], seconds);
}

/* ---- the page: containers, networks ---- */

static void put_containers(struct buf *out, struct engine *en)
{
	static const char name[] = "engine_daemon_container_states_containers";
	uint64_t running = 0, paused = 0, stopped = 0;

	for (struct container *k = NULL; (k = engine_container_next(en, k));) {
		if (!container_running(k))
			stopped++;
		else if (container_state(k)->paused)
			paused++;
		else
			running++;
	}
	text_metric(out, name, "gauge", "The count of containers in various states");
	text_u64(out, name, (const char *[]){"state", "paused", NULL}, paused);
	text_u64(out, name, (const char *[]){"state", "running", NULL}, running);
	text_u64(out, name, (const char *[]){"state", "stopped", NULL}, stopped);
}

static uint64_t endpoints_of(struct network *nw, bool attached)
{
	uint64_t n = 0;

	for (struct endpoint *ep = NULL; (ep = network_endpoint_next(nw, ep));)
		n += !attached || endpoint_attached(ep);
	return n;
}

static void put_networks(struct buf *out, struct engine *en)
{
	uint64_t networks = 0;

	text_metric(out, "atoll_network_endpoints", "gauge",
		    "Containers on a network, of which those that run are attached");
	for (struct network *nw = NULL; (nw = net_next(engine_net(en), nw));) {
		const char *name = network_name(nw), *driver = network_driver(nw);

		networks++;
		text_u64(out, "atoll_network_endpoints",
			 (const char *[]){"network", name, "driver", driver, "state", "attached",
					  NULL},
			 endpoints_of(nw, true));
		text_u64(out, "atoll_network_endpoints",
			 (const char *[]){"network", name, "driver", driver, "state", "resting",
					  NULL},
			 endpoints_of(nw, false) - endpoints_of(nw, true));
	}
	text_single(out, "atoll_networks", "gauge", "Networks", networks);
}

static void put_ports(struct buf *out, struct engine *en)
{
	static const struct {
		const char *name;
		uint8_t number;
	} protocols[] = {{"tcp", 6}, {"udp", 17}, {"sctp", 132}};
	uint64_t n[ARRAY_SIZE(protocols)] = {0};

	for (struct container *k = NULL; (k = engine_container_next(en, k));) {
		struct sandbox *sb = net_sandbox_find(engine_net(en), container_id(k));
		const struct net_port *port = NULL;
		size_t ports = sb ? sandbox_ports(sb, &port) : 0;

		for (size_t i = 0; i < ports; i++)
			for (size_t p = 0; p < ARRAY_SIZE(protocols); p++)
				n[p] += port[i].proto == protocols[p].number;
	}
	text_metric(out, "atoll_published_ports", "gauge", "Published ports of running containers");
	for (size_t p = 0; p < ARRAY_SIZE(protocols); p++)
		text_u64(out, "atoll_published_ports",
			 (const char *[]){"protocol", protocols[p].name, NULL}, n[p]);
}

/* ---- requests ---- */

static void put_requests(struct buf *out, const struct metrics *m)
{
	static const char name[] = "atoll_http_request_duration_seconds";

	text_metric(out, name, "summary",
		    "Requests to the API by route and status, and how long they took");
	for (size_t i = 0; i < m->n_hits; i++) {
		const struct hit *h = &m->hits[i];
		char code[16];
		const char *const labels[] = {"code",	code,
					      "method", h->route ? h->route->method : "",
					      "route",	h->route ? h->route->pattern : "",
					      NULL};

		(void)snprintf(code, sizeof(code), "%u", h->status);
		text_seconds(out, "atoll_http_request_duration_seconds_sum", labels, h->seconds);
		text_u64(out, "atoll_http_request_duration_seconds_count", labels, h->n);
	}
	if (m->server)
		text_single(out, "atoll_http_connections", "gauge",
			    "Open connections to the API, hijacked ones included",
			    http_server_connections(m->server));
}

static void put_actions(struct buf *out, const struct metrics *m)
{
	static const char name[] = "engine_daemon_container_actions_seconds";

	text_metric(out, name, "histogram",
		    "The number of seconds it takes to process each container action");
	for (size_t a = 0; a < ARRAY_SIZE(actions); a++) {
		const struct histogram *h = &m->actions[a];
		const char *const labels[] = {"action", actions[a].action, NULL};

		for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
			char le[16];

			(void)snprintf(le, sizeof(le), "%g", bounds[i]);
			text_u64(out, "engine_daemon_container_actions_seconds_bucket",
				 (const char *[]){"action", actions[a].action, "le", le, NULL},
				 h->buckets[i]);
		}
		text_u64(out, "engine_daemon_container_actions_seconds_bucket",
			 (const char *[]){"action", actions[a].action, "le", "+Inf", NULL}, h->n);
		text_seconds(out, "engine_daemon_container_actions_seconds_sum", labels,
			     h->seconds);
		text_u64(out, "engine_daemon_container_actions_seconds_count", labels, h->n);
	}
}

/* ---- the engine and its process ---- */

/* PRETTY_NAME of os-release, or "". */
static void os_name(char *out, size_t room)
{
	auto_buf struct buf text = BUF_INIT(65536);
	const char *at;

	*out = '\0';
	if (fs_read("/etc/os-release", 65536, &text) < 0)
		return;
	at = strstr(buf_str(&text), "PRETTY_NAME=\"");
	if (at)
		(void)snprintf(out, room, "%.*s", (int)strcspn(at + 13, "\"\n"), at + 13);
}

static void put_engine(struct buf *out, const struct metrics *m)
{
	char os[128];
	struct utsname un = {0};
	struct sysinfo si = {0};

	(void)uname(&un); /* both fail for a bad pointer only */
	(void)sysinfo(&si);
	os_name(os, sizeof(os));
	text_metric(out, "engine_daemon_engine_info", "gauge",
		    "The information related to the engine and the OS it is running on");
	text_u64(out, "engine_daemon_engine_info",
		 (const char *[]){"architecture", un.machine, "commit", "", "daemon_id",
				  engine_id(m->en), "graphdriver", "overlay2", "kernel", un.release,
				  "os", os, "os_type", "linux", "version", ATOLL_VERSION, NULL},
		 1);
	text_single(out, "engine_daemon_engine_cpus_cpus", "gauge",
		    "The number of cpus that the host system of the engine has",
		    (uint64_t)get_nprocs());
	text_single(out, "engine_daemon_engine_memory_bytes", "gauge",
		    "The number of bytes of memory that the host system of the engine has",
		    (uint64_t)si.totalram * si.mem_unit);
	text_single(out, "engine_daemon_events_total", "counter", "The number of events logged",
		    m->events);
	text_single(out, "engine_daemon_events_subscribers_total", "gauge",
		    "The number of current subscribers to events",
		    engine_events_subscribers(m->en) - 1); /* not this one */
}

static uint64_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n > 3 ? n - 3 : 0; /* . and .. and this one */
}

/* Pages of /proc/self/statm: all, and resident. */
static void memory(uint64_t *ret_virtual, uint64_t *ret_resident)
{
	auto_buf struct buf text = BUF_INIT(256);
	auto_strv char **part = NULL;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	*ret_virtual = *ret_resident = 0;
	if (fs_read("/proc/self/statm", 255, &text) < 0 ||
	    strv_split(buf_str(&text), " ", &part) < 0 || strv_len(part) < 2 ||
	    parse_u64(part[0], ret_virtual) < 0 || parse_u64(part[1], ret_resident) < 0)
		return;
	*ret_virtual *= page;
	*ret_resident *= page;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void put_process(struct buf *out, const struct metrics *m)
{
	struct rusage use = {0};
	struct rlimit files = {0};
	uint64_t all, resident;

	(void)getrusage(RUSAGE_SELF, &use); /* both fail for a bad pointer only */
	(void)getrlimit(RLIMIT_NOFILE, &files);
	memory(&all, &resident);
	text_metric(out, "process_cpu_seconds_total", "counter",
		    "Total user and system CPU time spent in seconds.");
	text_seconds(out, "process_cpu_seconds_total", NULL,
		     seconds(use.ru_utime) + seconds(use.ru_stime));
	text_single(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
		    files.rlim_cur);
	text_single(out, "process_open_fds", "gauge", "Number of open file descriptors.",
		    open_descriptors());
	text_single(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
		    resident);
	text_single(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
		    all);
	text_metric(out, "process_start_time_seconds", "gauge",
		    "Start time of the process since unix epoch in seconds.");
	(void)buf_printf(out, "process_start_time_seconds %.3f\n", m->started);
}

/* ---- the server ---- */

void metrics_handle(struct http_req *r, void *metrics)
{
	struct metrics *m = metrics;
	struct buf page = BUF_INIT(PAGE_MAX);
	const char *method = http_method(r);

	if (!streq(http_path(r), "/metrics") || (!streq(method, "GET") && !streq(method, "HEAD"))) {
		http_reply(r, 404, "text/plain; charset=utf-8", "404 page not found\n", 19);
		return;
	}
	put_requests(&page, m);
	put_networks(&page, m->en);
	put_ports(&page, m->en);
	put_actions(&page, m);
	put_containers(&page, m->en);
	put_engine(&page, m);
	put_process(&page, m);
	http_reply_buf(r, 200, METRICS_CONTENT_TYPE, &page);
}
