/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_system.c - version, info, events */

#include <signal.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "cli/stamp.h"

static const struct opt format_options[] = {
	OPT_VALUE('f', "format", "string", "Format output: 'json' or a Go template"),
};

/* ---- version ---- */

static const char *machine(struct utsname *u)
{
	if (uname(u) < 0)
		return "unknown";
	return streq(u->machine, "x86_64")    ? "amd64"
	       : streq(u->machine, "aarch64") ? "arm64"
					      : u->machine;
}

static json_t *client_part(struct client *c)
{
	unsigned v = CLIENT_API_MAX;
	struct utsname u;
	auto_free char *api = NULL;

	if (client_version(c, &v, NULL) < 0)
		v = CLIENT_API_MAX;
	api = need(str_printf("%u.%u", v / 100, v % 100));
	return need(json_pack("{s:s, s:s, s:s, s:s, s:s}", "Platform", "Atoll", "Version",
			      ATOLL_VERSION, "ApiVersion", api, "Os", "linux", "Arch",
			      machine(&u)));
}

static void version_text(const json_t *client, const json_t *server)
{
	size_t i;
	json_t *c;

	(void)printf("Client: Atoll\n");
	(void)printf(" Version:           %s\n", js(client, "Version"));
	(void)printf(" API version:       %s\n", js(client, "ApiVersion"));
	(void)printf(" OS/Arch:           %s/%s\n", js(client, "Os"), js(client, "Arch"));
	if (!server)
		return;
	(void)printf("\nServer: %s\n", *js(json_get(server, "Platform"), "Name")
					       ? js(json_get(server, "Platform"), "Name")
					       : "Engine");
	(void)printf(" Version:           %s\n", js(server, "Version"));
	(void)printf(" API version:       %s (minimum version %s)\n", js(server, "ApiVersion"),
		     js(server, "MinAPIVersion"));
	(void)printf(" OS/Arch:           %s/%s\n", js(server, "Os"), js(server, "Arch"));
	(void)printf(" Kernel:            %s\n", js(server, "KernelVersion"));
	json_array_foreach(json_get(server, "Components"), i, c)
	{
		if (!streq(js(c, "Name"), "Engine"))
			(void)printf(" %s:\n  Version:          %s\n", js(c, "Name"),
				     js(c, "Version"));
	}
}

static int version(struct cli *cli, const struct args *a, struct err *e)
{
	const char *format = arg_str(a, "format");
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *server = NULL, *client = NULL, *all = NULL;
	struct client *c;
	int r = cli_client(cli, &c, e), shown = 0;

	if (r < 0)
		return r;
	url_path(&u, "/version", NULL);
	r = cli_request(cli, "GET", &u, NULL, &server, e);
	client = client_part(c);
	if (str_empty(format)) {
		version_text(client, server);
		return r;
	}
	all = need(json_pack("{s:O, s:O?}", "Client", client, "Server", server));
	if (r < 0 && !streq(format, "json"))
		return r;
	shown = row_print(all, format, r < 0 ? NULL : e);
	return r < 0 ? r : shown;
}

const struct command cmd_version = {
	.summary = "Show the Atoll version information",
	.tables = {OPT_TABLE(format_options)},
	.run = version,
};

/* ---- info ---- */

static void strings(const char *title, const json_t *list)
{
	size_t i;
	json_t *s;

	if (!json_array_size(list))
		return;
	(void)printf(" %s:\n", title);
	json_array_foreach(list, i, s)
	{
		if (json_is_string(s))
			(void)printf("  %s\n", json_string_value(s));
	}
}

static void plugins(const json_t *list, const char *title)
{
	size_t i;
	json_t *s;

	(void)printf("  %s:", title);
	json_array_foreach(list, i, s)
	{
		(void)printf(" %s", json_is_string(s) ? json_string_value(s) : "");
	}
	(void)printf("\n");
}

static void info_drivers(const json_t *i)
{
	const json_t *p = json_get(i, "Plugins");
	const char *name;
	json_t *v;

	(void)printf(" Storage Driver: %s\n", js(i, "Driver"));
	(void)printf(" Logging Driver: %s\n", js(i, "LoggingDriver"));
	(void)printf(" Cgroup Driver: %s\n", js(i, "CgroupDriver"));
	(void)printf(" Cgroup Version: %s\n", js(i, "CgroupVersion"));
	(void)printf(" Plugins:\n");
	plugins(json_get(p, "Volume"), "Volume");
	plugins(json_get(p, "Network"), "Network");
	plugins(json_get(p, "Log"), "Log");
	(void)printf(" Runtimes:");
	json_object_foreach(json_get(i, "Runtimes"), name, v)
	{
		(void)printf(" %s", name);
	}
	(void)printf("\n Default Runtime: %s\n", js(i, "DefaultRuntime"));
	strings("Security Options", json_get(i, "SecurityOptions"));
}

static void info_text(const json_t *i)
{
	auto_buf struct buf memory = BUF_INIT(64);

	human_binary(&memory, ji(i, "MemTotal"));
	(void)printf("Client: Atoll\n Version: %s\n\nServer:\n", ATOLL_VERSION);
	(void)printf(" Containers: %lld\n  Running: %lld\n  Paused: %lld\n  Stopped: %lld\n",
		     (long long)ji(i, "Containers"), (long long)ji(i, "ContainersRunning"),
		     (long long)ji(i, "ContainersPaused"), (long long)ji(i, "ContainersStopped"));
	(void)printf(" Images: %lld\n Server Version: %s\n", (long long)ji(i, "Images"),
		     js(i, "ServerVersion"));
	info_drivers(i);
	(void)printf(" Kernel Version: %s\n Operating System: %s\n OSType: %s\n Architecture: %s\n",
		     js(i, "KernelVersion"), js(i, "OperatingSystem"), js(i, "OSType"),
		     js(i, "Architecture"));
	(void)printf(" CPUs: %lld\n Total Memory: %s\n Name: %s\n ID: %s\n",
		     (long long)ji(i, "NCPU"), buf_str(&memory), js(i, "Name"), js(i, "ID"));
	(void)printf(" Docker Root Dir: %s\n Debug Mode: %s\n", js(i, "DockerRootDir"),
		     jb(i, "Debug") ? "true" : "false");
	strings("Labels", json_get(i, "Labels"));
	strings("Insecure Registries",
		json_get(json_get(i, "RegistryConfig"), "InsecureRegistryCIDRs"));
	(void)printf(" Live Restore Enabled: %s\n", jb(i, "LiveRestoreEnabled") ? "true" : "false");
}

static int info(struct cli *cli, const struct args *a, struct err *e)
{
	const char *format = arg_str(a, "format");
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *i = NULL;
	size_t k;
	json_t *w;
	int r;

	url_path(&u, "/info", NULL);
	r = cli_request(cli, "GET", &u, NULL, &i, e);
	if (r < 0)
		return r;
	if (!str_empty(format))
		return row_print(i, format, e);
	info_text(i);
	(void)fflush(stdout);
	json_array_foreach(json_get(i, "Warnings"), k, w)
	{
		(void)fprintf(stderr, "%s\n", json_is_string(w) ? json_string_value(w) : "");
	}
	return 0;
}

const struct command cmd_info = {
	.summary = "Display system-wide information",
	.tables = {OPT_TABLE(format_options)},
	.run = info,
};

/* ---- events ---- */

static const struct opt events_options[] = {
	OPT_LIST('f', "filter", "filter", "Only events that fit (key=value)"),
	OPT_VALUE(0, "format", "string", "Format output: 'json' or a Go template"),
	OPT_VALUE(0, "since", "string", "Show all events created since timestamp"),
	OPT_VALUE(0, "until", "string", "Stream events until this timestamp"),
};

struct events {
	struct buf rest;
	const char *format;
	struct err *e;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "2026-01-02T03:04:05.000000000Z container start <id> (image=x, name=y)" */
static void event_text(struct buf *out, const json_t *ev)
{
	const json_t *attributes = json_get(json_get(ev, "Actor"), "Attributes");
	auto_strv char **keys = NULL;
	int64_t ns = ji(ev, "timeNano");
	const char *key;
	json_t *v;

	human_rfc3339(out, ns ? ns : ji(ev, "time") * NS_PER_S);
	(void)buf_printf(out, " %s %s %s", js(ev, "Type"), js(ev, "Action"),
			 js(json_get(ev, "Actor"), "ID"));
	json_object_foreach((json_t *)(uintptr_t)attributes, key, v)
	{
		list_add(&keys, key);
	}
	if (keys)
		qsort(keys, strv_len(keys), sizeof(*keys), by_text);
	for (size_t i = 0; keys && keys[i]; i++)
		(void)buf_printf(out, "%s%s=%s", i ? ", " : " (", keys[i], js(attributes, keys[i]));
	(void)buf_puts(out, keys ? ")\n" : "\n");
}

static int one_event(void *data, const char *text, size_t len)
{
	struct events *ev = data;
	auto_buf struct buf out = BUF_INIT(4u << 20);
	auto_json json_t *j = NULL;
	int r = json_read(text, len, &j, ev->e);

	if (r >= 0 && !str_empty(ev->format)) {
		r = row_print(j, ev->format, ev->e);
	} else if (r >= 0) {
		event_text(&out, j);
		(void)fputs(buf_str(&out), stdout);
	}
	if (r >= 0 && fflush(stdout) != 0) {
		if (errno == EPIPE)
			cli_die_by(SIGPIPE);
		r = err_sys(ev->e, errno, "cannot write");
	}
	return r;
}

static int on_events(void *data, const void *piece, size_t len)
{
	struct events *ev = data;

	return lines_feed(&ev->rest, piece, len, one_event, ev);
}

static int events(struct cli *cli, const struct args *a, struct err *e)
{
	struct events ev = {.rest = BUF_INIT(4u << 20), .format = arg_str(a, "format"), .e = e};
	struct http_call call = {.method = "GET", .on_data = on_events, .data = &ev};
	struct http_resp resp = {0};
	auto_buf struct buf u = URL_INIT;
	struct client *c;
	int r;

	url_path(&u, "/events", NULL);
	r = url_stamp(&u, "since", arg_str(a, "since"), e);
	if (r >= 0)
		r = url_stamp(&u, "until", arg_str(a, "until"), e);
	if (r >= 0)
		r = url_filters(&u, arg_list(a, "filter"), e);
	if (r >= 0)
		r = cli_client(cli, &c, e);
	if (r >= 0) {
		call.path = buf_str(&u);
		r = client_call(c, &call, &resp, e);
	}
	if (r < 0 && !*e->msg)
		r = err_sys(e, -r, "cannot read the events");
	http_resp_done(&resp);
	buf_done(&ev.rest);
	return r;
}

const struct command cmd_events = {
	.summary = "Get real time events from the server",
	.tables = {OPT_TABLE(events_options)},
	.run = events,
};
