/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec_process.c - the process section, of a container and of an exec in it
 *
 * Where this host does not let us raise a limit (no CAP_SYS_RESOURCE), the runtime would fail to
 * start the container: what was asked is clamped to what is allowed, and the log says so.
 */

#include <ctype.h>
#include <linux/capability.h>
#include <sys/resource.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/caps.h"
#include "runtime/spec.h"

void process_user(struct jsonw *w, const struct user_ids *ids)
{
	jsonw_object(w, "user");
	jsonw_u64(w, "uid", ids->uid);
	jsonw_u64(w, "gid", ids->gid);
	jsonw_array(w, "additionalGids");
	for (size_t i = 0; i < ids->n_groups; i++)
		jsonw_u64(w, NULL, ids->groups[i]);
	jsonw_end_array(w);
	jsonw_end_object(w);
}

static void cap_list(struct jsonw *w, const char *key, uint64_t caps)
{
	jsonw_array(w, key);
	for (unsigned i = 0; cap_name(i); i++)
		if (caps & CAP_BIT(i))
			jsonw_str(w, NULL, cap_name(i));
	jsonw_end_array(w);
}

/* Another user than root gets what execve would leave: nothing but the bounding set. */
void process_caps(struct jsonw *w, uint64_t caps, uint32_t uid)
{
	jsonw_object(w, "capabilities");
	cap_list(w, "bounding", caps);
	cap_list(w, "effective", uid ? 0 : caps);
	cap_list(w, "permitted", uid ? 0 : caps);
	jsonw_end_object(w);
}

int process_env(struct jsonw *w, char *const *env, const char *home)
{
	bool has_home = false;

	jsonw_array(w, "env");
	for (; env && *env; env++) {
		if (streq(*env, "HOME="))
			continue; /* as if it was not there */
		has_home = has_home || str_has_prefix(*env, "HOME=");
		jsonw_str(w, NULL, *env);
	}
	if (!has_home)
		jsonw_strf(w, NULL, "HOME=%s", home);
	jsonw_end_array(w);
	return buf_err(w->out);
}

/* ---- limits ---- */

static const struct {
	const char *name;
	int resource;
} limits[] = {
	{"as", RLIMIT_AS},
	{"core", RLIMIT_CORE},
	{"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},
	{"fsize", RLIMIT_FSIZE},
	{"locks", RLIMIT_LOCKS},
	{"memlock", RLIMIT_MEMLOCK},
	{"msgqueue", RLIMIT_MSGQUEUE},
	{"nice", RLIMIT_NICE},
	{"nofile", RLIMIT_NOFILE},
	{"nproc", RLIMIT_NPROC},
	{"rss", RLIMIT_RSS},
	{"rtprio", RLIMIT_RTPRIO},
	{"rttime", RLIMIT_RTTIME},
	{"sigpending", RLIMIT_SIGPENDING},
	{"stack", RLIMIT_STACK},
};

static bool may_raise(void)
{
	return caps_available() & CAP_BIT(CAP_SYS_RESOURCE);
}

/* The highest value this process may give. */
static uint64_t highest(int resource)
{
	auto_buf struct buf text = BUF_INIT(64);
	struct rlimit now;
	uint64_t most = RLIM_INFINITY;

	if (!may_raise() && getrlimit((unsigned)resource, &now) == 0)
		most = now.rlim_max;
	if (resource == RLIMIT_NOFILE && fs_read("/proc/sys/fs/nr_open", 63, &text) >= 0) {
		uint64_t nr_open;

		while (text.len && isspace((unsigned char)text.data[text.len - 1]))
			text.data[--text.len] = '\0';
		if (parse_u64(buf_str(&text), &nr_open) >= 0)
			most = MIN(most, nr_open);
	}
	return most;
}

static const char *limit_text(uint64_t n, char out[24])
{
	if (n == RLIM_INFINITY)
		(void)snprintf(out, 24, "unlimited");
	else
		(void)snprintf(out, 24, "%llu", (unsigned long long)n);
	return out;
}

/* What lies beyond a signed number means no limit: -1 as clients send it. */
static uint64_t limit_value(uint64_t n)
{
	return n > INT64_MAX ? RLIM_INFINITY : n;
}

static void write_limit(struct jsonw *w, const char *name, uint64_t soft, uint64_t hard)
{
	auto_buf struct buf upper = BUF_INIT(32);

	for (; *name; name++)
		(void)buf_putc(&upper, (char)toupper((unsigned char)*name));
	jsonw_object(w, NULL);
	jsonw_strf(w, "type", "RLIMIT_%s", buf_str(&upper));
	jsonw_u64(w, "soft", soft);
	jsonw_u64(w, "hard", hard);
	jsonw_end_object(w);
}

static int one_limit(struct jsonw *w, const char *id, const struct rt_rlimit *l, struct err *e)
{
	uint64_t soft = limit_value(l->soft), hard = limit_value(l->hard), most;
	char asked[24], given[24];
	size_t i = 0;

	while (i < ARRAY_SIZE(limits) && !streq(limits[i].name, l->name))
		i++;
	if (i == ARRAY_SIZE(limits))
		return err_invalid(e, "invalid ulimit type: %s", l->name);
	if (soft > hard)
		return err_invalid(
			e, "ulimit soft limit must be less than or equal to hard limit: %s > %s",
			limit_text(soft, asked), limit_text(hard, given));
	most = highest(limits[i].resource);
	if (hard > most) {
		log_warn("ulimit clamped to what this host allows container=%.12s ulimit=%s "
			 "asked=%s given=%s",
			 id, l->name, limit_text(hard, asked), limit_text(most, given));
		hard = most;
		soft = MIN(soft, hard);
	}
	write_limit(w, l->name, soft, hard);
	return 0;
}

static int self_oom_score_adj(void)
{
	auto_buf struct buf text = BUF_INIT(32);
	int64_t n = 0;

	if (fs_read("/proc/self/oom_score_adj", 31, &text) < 0 || !text.len)
		return 0;
	if (text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	return parse_i64(buf_str(&text), &n) < 0 ? 0 : (int)n;
}

static int oom_score_adj(const struct rt_spec *s)
{
	int lowest = may_raise() ? -1000 : self_oom_score_adj();

	if (s->oom_score_adj >= lowest)
		return s->oom_score_adj;
	if (s->oom_score_adj)
		log_warn("oom_score_adj clamped to what this host allows container=%.12s asked=%d "
			 "given=%d",
			 s->id, s->oom_score_adj, lowest);
	return lowest;
}

/* ---- a container's ---- */

static void write_args(struct jsonw *w, const struct rt_spec *s)
{
	jsonw_array(w, "args");
	if (s->init) {
		jsonw_str(w, NULL, SPEC_INIT_TARGET);
		jsonw_str(w, NULL, "--");
	}
	for (char *const *a = s->args; a && *a; a++)
		jsonw_str(w, NULL, *a);
	jsonw_end_array(w);
}

int spec_process(struct jsonw *w, const struct spec *sp, struct err *e)
{
	const struct rt_spec *s = sp->s;
	int r = 0;

	jsonw_object(w, "process");
	jsonw_bool(w, "terminal", s->tty);
	process_user(w, &sp->ids);
	write_args(w, s);
	(void)process_env(w, s->env, sp->ids.home); /* the buffer's error is sticky */
	jsonw_str(w, "cwd", str_empty(s->cwd) ? "/" : s->cwd);
	process_caps(w, sp->caps, sp->ids.uid);
	jsonw_array(w, "rlimits");
	for (size_t i = 0; r >= 0 && i < s->n_rlimits; i++)
		r = one_limit(w, s->id, &s->rlimits[i], e);
	jsonw_end_array(w);
	jsonw_bool(w, "noNewPrivileges", s->no_new_privileges);
	jsonw_i64(w, "oomScoreAdj", oom_score_adj(s));
	jsonw_end_object(w);
	return r;
}
