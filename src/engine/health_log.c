/* SPDX-License-Identifier: GPL-2.0-or-later */
/* health_log.c - the rules of a health check and what its results make of a container; pure */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/life_internal.h"

#define DEFAULT_INTERVAL_NS	  (30 * NS_PER_S)
#define DEFAULT_TIMEOUT_NS	  (30 * NS_PER_S)
#define DEFAULT_START_INTERVAL_NS (5 * NS_PER_S)
#define DEFAULT_RETRIES		  3

const char *health_status_name(enum health_status s)
{
	switch (s) {
	case HEALTH_NONE:
		return "none";
	case HEALTH_STARTING:
		return "starting";
	case HEALTH_HEALTHY:
		return "healthy";
	case HEALTH_UNHEALTHY:
		return "unhealthy";
	}
	return "";
}

/* "CMD-SHELL x" is run by the container's shell. */
static int args_of(const json_t *config, const json_t *check, char ***ret)
{
	auto_strv char **test = jstrv(check, "Test"), **shell = jstrv(config, "Shell"),
		       **out = NULL;
	int r = 0;

	if (strv_len(test) < 2)
		return 0; /* none, {"NONE"}, or a form without a command */
	if (streq(test[0], "CMD-SHELL")) {
		if (!shell && (strv_add(&shell, "/bin/sh") < 0 || strv_add(&shell, "-c") < 0))
			return -ENOMEM;
		for (char **s = shell; r >= 0 && *s; s++)
			r = strv_add(&out, *s);
	} else if (!streq(test[0], "CMD")) {
		return 0;
	}
	for (char **s = test + 1; r >= 0 && *s; s++)
		r = strv_add(&out, *s);
	if (r >= 0)
		*ret = TAKE_PTR(out);
	return r < 0 ? r : 0;
}

static int64_t or_default(int64_t given, int64_t absent)
{
	return given ? given : absent;
}

int health_rules_read(const json_t *config, struct health_rules *ret)
{
	const json_t *h = jo(config, "Healthcheck");

	*ret = (struct health_rules){
		.interval_ns = or_default(ji(h, "Interval"), DEFAULT_INTERVAL_NS),
		.timeout_ns = or_default(ji(h, "Timeout"), DEFAULT_TIMEOUT_NS),
		.start_period_ns = ji(h, "StartPeriod"),
		.start_interval_ns = or_default(ji(h, "StartInterval"), DEFAULT_START_INTERVAL_NS),
		.retries = (int)or_default(MIN(ji(h, "Retries"), INT32_MAX), DEFAULT_RETRIES)};
	return h ? args_of(config, h, &ret->args) : 0;
}

void health_rules_done(struct health_rules *r)
{
	strv_free(r->args);
	*r = (struct health_rules){0};
}

int64_t health_next_ns(const struct container_health *h, const struct health_rules *rules,
		       int64_t lived_ns)
{
	if (lived_ns < rules->start_period_ns && h->status == HEALTH_STARTING)
		return rules->start_interval_ns;
	return rules->interval_ns;
}

int health_note(struct container_health *h, const struct health_rules *rules, int64_t started_ns,
		struct health_result result)
{
	bool grace = h->status == HEALTH_STARTING &&
		     result.start_ns - started_ns < rules->start_period_ns;

	if (!result.output)
		return -ENOMEM;
	if (h->n_log == HEALTH_LOG_MAX) {
		free(h->log[0].output);
		memmove(&h->log[0], &h->log[1], sizeof(h->log) - sizeof(h->log[0]));
		h->n_log--;
	}
	h->log[h->n_log++] = result;
	if (result.exit_code == 0) {
		h->streak = 0;
		h->status = HEALTH_HEALTHY;
	} else if (!grace) {
		h->streak++;
		if (h->streak >= rules->retries)
			h->status = HEALTH_UNHEALTHY;
	}
	return 0;
}

void health_log_done(struct container_health *h)
{
	for (size_t i = 0; i < h->n_log; i++)
		free(h->log[i].output);
	*h = (struct container_health){0};
}

/* ---- what a create may ask ---- */

static int shorter(const json_t *h, const char *key, struct err *e)
{
	int64_t ns;
	int r = json_get_i64(h, "HealthConfig", key, &ns, e);

	if (r < 0)
		return r;
	if (ns && ns < NS_PER_MS)
		return err_invalid(e, "%s in Healthcheck cannot be less than 1ms", key);
	return 0;
}

int health_valid(const json_t *config, struct err *e)
{
	static const char *const times[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
	const json_t *h = jo(config, "Healthcheck");
	auto_strv char **test = NULL;
	int64_t retries;
	int r = 0;

	if (!h)
		return 0;
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(times); i++)
		r = shorter(h, times[i], e);
	if (r >= 0)
		r = json_get_i64(h, "HealthConfig", "Retries", &retries, e);
	if (r >= 0 && retries < 0)
		return err_invalid(e, "Retries in Healthcheck cannot be negative");
	return r < 0 ? r : json_get_strv(h, "HealthConfig", "Test", false, &test, e);
}

/* Only keys of Docker's, spelled as it does. */
static int own_check(const json_t *given, json_t **ret, struct err *e)
{
	static const char *const keys[] = {"Test",	  "Interval",	   "Timeout",
					   "StartPeriod", "StartInterval", "Retries"};
	json_t *out = json_object();

	for (size_t i = 0; out && i < ARRAY_SIZE(keys); i++) {
		json_t *v = json_get(given, keys[i]);

		if (v && json_object_set(out, keys[i], v) < 0) {
			json_decref(out);
			out = NULL;
		}
	}
	*ret = out;
	return out ? 0 : err_nomem(e);
}

/* What the client leaves out is the image's, key by key. */
int health_merge(json_t *config, const json_t *image_config, struct err *e)
{
	const json_t *theirs = jo(image_config, "Healthcheck"), *given = jo(config, "Healthcheck");
	auto_json json_t *mine = NULL;
	const char *key;
	json_t *v;
	int r;

	if (!theirs && !given)
		return 0;
	r = own_check(given ? given : theirs, &mine, e);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)(uintptr_t)theirs, key, v)
	{
		json_t *own = json_object_get(mine, key);
		bool silent = !own || (json_is_integer(own) && !json_integer_value(own)) ||
			      (json_is_array(own) && !json_array_size(own));

		if (silent && json_object_set(mine, key, v) < 0)
			return err_nomem(e);
	}
	return json_object_set(config, "Healthcheck", mine) < 0 ? err_nomem(e) : 0;
}
