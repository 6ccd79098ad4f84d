/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.c - atolld's configuration: defaults, then flags, then daemon.json, then what must fit
 * together */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/options.h"

#define DEFAULT_FILE "/etc/atoll/daemon.json"

void daemon_config_done(struct daemon_config *c)
{
	char **lists[] = {c->hosts,
			  c->labels,
			  c->insecure_registries,
			  c->registry_mirrors,
			  c->pools_text,
			  c->host_gateway_ips,
			  c->dns,
			  c->dns_search,
			  c->dns_opts,
			  c->ignored};
	char *texts[] = {c->data_root,
			 c->exec_root,
			 c->pidfile,
			 c->config_file,
			 c->bip,
			 c->bip6,
			 c->fixed_cidr,
			 c->fixed_cidr_v6,
			 c->default_gateway,
			 c->default_gateway_v6,
			 c->ip,
			 c->firewall,
			 c->cgroup_parent,
			 c->group,
			 c->metrics_addr,
			 c->init_path,
			 c->default_ipc_mode,
			 c->default_cgroupns_mode,
			 c->default_shm_size,
			 c->seccomp_profile,
			 c->userns_remap,
			 c->tlscacert,
			 c->tlscert,
			 c->tlskey,
			 c->lib_dir,
			 c->http_proxy,
			 c->https_proxy,
			 c->no_proxy};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strv_free(lists[i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	free(c->pools);
	json_decref(c->network_opts);
	json_decref(c->log_opts);
	free(c->log_driver);
	*c = (struct daemon_config){0};
}

static int defaults(struct daemon_config *c)
{
	*c = (struct daemon_config){.log_level = LOG_INFO,
				    .icc = true,
				    .ip_forward = true,
				    .ip_masq = true,
				    .shutdown_timeout = 15,
				    .max_downloads = 3,
				    .max_uploads = 5,
				    .download_attempts = 5};
	return str_set(&c->data_root, "/var/lib/atoll") < 0 ||
			       str_set(&c->exec_root, "/run/atoll") < 0 ||
			       str_set(&c->pidfile, "/run/atoll.pid") < 0 ||
			       str_set(&c->config_file, DEFAULT_FILE) < 0
		       ? -ENOMEM
		       : 0;
}

/* ---- the command line ---- */

struct line {
	struct daemon_config *c;
	struct given *given;
	char **argv;
	int argc, at;
	struct err *e;
};

static int take(struct line *l, const struct option *o, const char *value, const char *shown)
{
	int r = option_set(l->c, o, value, l->e);

	if (r == -EINVAL && l->e && l->e->kind == ERR_INVALID)
		return err_wrap(l->e, "invalid argument \"%s\" for \"%s\" flag", value, shown);
	if (r < 0)
		return err_wrap(l->e, "%s", shown);
	return strv_add(&l->given->values[o - options], value) < 0 ? err_nomem(l->e) : 0;
}

static const char *next_arg(struct line *l)
{
	return l->at + 1 < l->argc ? l->argv[++l->at] : NULL;
}

/* "--name", "--name=value", "--name value" */
static int long_flag(struct line *l, const char *arg)
{
	const char *eq = strchr(arg, '='), *value = eq ? eq + 1 : NULL;
	size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
	const struct option *o = NULL;
	char shown[96];

	for (size_t i = 0; i < n_options && !o; i++)
		if (strlen(options[i].flag) == len && !strncmp(options[i].flag, arg, len))
			o = &options[i];
	if (!o)
		return err_invalid(l->e, "unknown flag: --%.*s", (int)len, arg);
	if (!value)
		value = option_is_bool(o) ? "true" : next_arg(l);
	if (!value)
		return err_invalid(l->e, "flag needs an argument: --%s", o->flag);
	if (o->letter)
		(void)snprintf(shown, sizeof(shown), "-%c, --%s", o->letter, o->flag);
	else
		(void)snprintf(shown, sizeof(shown), "--%s", o->flag);
	return take(l, o, value, shown);
}

/* "-D", "-H value", "-Hvalue", "-H=value", "-DH value" */
static int short_flags(struct line *l, const char *arg)
{
	for (const char *s = arg; *s; s++) {
		const struct option *o = NULL;
		const char *value = "true";
		char shown[96];
		bool last;
		int r;

		for (size_t i = 0; i < n_options && !o; i++)
			if (options[i].letter == *s)
				o = &options[i];
		if (!o)
			return err_invalid(l->e, "unknown shorthand flag: '%c' in -%s", *s, arg);
		last = s[1] == '=' || !option_is_bool(o);
		if (s[1] == '=')
			value = s + 2;
		else if (last)
			value = s[1] ? s + 1 : next_arg(l);
		if (!value)
			return err_invalid(l->e, "flag needs an argument: '%c' in -%s", *s, arg);
		(void)snprintf(shown, sizeof(shown), "-%c, --%s", o->letter, o->flag);
		r = take(l, o, value, shown);
		if (r < 0 || last)
			return r;
	}
	return 0;
}

static int read_line(struct line *l)
{
	int r = 0;

	for (l->at = 1; r >= 0 && l->at < l->argc; l->at++) {
		const char *arg = l->argv[l->at];

		if (str_has_prefix(arg, "--") && arg[2])
			r = long_flag(l, arg + 2);
		else if (arg[0] == '-' && arg[1] && !streq(arg, "--"))
			r = short_flags(l, arg + 1);
		else if (!streq(arg, "--"))
			r = err_invalid(l->e, "\"atolld\" accepts no arguments: %s", arg);
	}
	return r;
}

/* ---- all of it ---- */

static int absolute(char **path, const char *what, struct err *e)
{
	char cwd[4096];
	auto_free char *full = NULL;

	if (str_empty(*path))
		return err_invalid(e, "%s must not be empty", what);
	if (**path == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, errno, "cannot tell the working directory");
	full = str_printf("%s/%s", cwd, *path);
	return !full || str_set(path, full) < 0 ? err_nomem(e) : 0;
}

bool daemon_config_tls(const struct daemon_config *c, bool *ret_verify)
{
	*ret_verify = c->tlsverify == ON;
	return c->tls == ON || c->tlsverify != UNSAID;
}

static int settle_tls(struct daemon_config *c, struct err *e)
{
	bool verify;
	int r = 0;

	if (!daemon_config_tls(c, &verify))
		return 0;
	if (!c->tlscert || !c->tlskey || (verify && !c->tlscacert))
		return err_invalid(e, "TLS needs a certificate and its key (--tlscert, --tlskey)%s",
				   verify ? ", and --tlsverify the CA of the clients' (--tlscacert)"
					  : "");
	r = absolute(&c->tlscert, "tlscert", e);
	if (r >= 0)
		r = absolute(&c->tlskey, "tlskey", e);
	if (r >= 0 && c->tlscacert)
		r = absolute(&c->tlscacert, "tlscacert", e);
	return r;
}

/* What was not given is the environment's, as in dockerd. */
static int take_proxies(struct daemon_config *c)
{
	const struct {
		char **to;
		const char *upper, *lower;
	} all[] = {{&c->http_proxy, "HTTP_PROXY", "http_proxy"},
		   {&c->https_proxy, "HTTPS_PROXY", "https_proxy"},
		   {&c->no_proxy, "NO_PROXY", "no_proxy"}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const char *v = getenv(all[i].upper);

		if (!v)
			v = getenv(all[i].lower);
		if (!*all[i].to && !str_empty(v) && str_set(all[i].to, v) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int settle(struct daemon_config *c, struct err *e)
{
	int r = absolute(&c->data_root, "data-root", e);

	if (r >= 0)
		r = absolute(&c->exec_root, "exec-root", e);
	if (r >= 0 && *c->pidfile)
		r = absolute(&c->pidfile, "pidfile", e);
	if (r >= 0)
		r = settle_tls(c, e);
	if (r >= 0 && c->init_path)
		r = absolute(&c->init_path, "init-path", e);
	if (r < 0)
		return r;
	if (c->debug)
		c->log_level = LOG_DEBUG;
	return take_proxies(c) < 0 ? err_nomem(e) : remap_settle(c, e);
}

static void given_done(struct given *g)
{
	for (size_t i = 0; i < n_options; i++)
		strv_free(g->values[i]);
}

static bool file_named(const struct given *g)
{
	for (size_t i = 0; i < n_options; i++)
		if (streq(options[i].flag, "config-file"))
			return g->values[i] != NULL;
	return false;
}

int daemon_config_read(struct daemon_config *c, int argc, char **argv, struct err *e)
{
	struct given g = {0};
	struct line l = {.c = c, .given = &g, .argv = argv, .argc = argc, .e = e};
	int r = defaults(c) < 0 ? err_nomem(e) : 0;

	if (r >= 0)
		r = read_line(&l);
	if (r >= 0 && (c->help || c->version))
		r = 1;
	else if (r >= 0)
		r = config_file_read(c, &g, file_named(&g), e);
	if (r == 0)
		r = settle(c, e);
	given_done(&g);
	if (r < 0)
		daemon_config_done(c);
	return r;
}
