/* SPDX-License-Identifier: GPL-2.0-or-later */
/* validate.c - what a create may ask: Docker's rules and texts over a normalised Config and
 * HostConfig */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "runtime/caps.h"

int restart_policy_valid(const json_t *host, struct err *e)
{
	const json_t *rp = jo(host, "RestartPolicy");
	const char *name = js(rp, "Name");
	int64_t max = ji(rp, "MaximumRetryCount");
	bool known = streq(name, "no") || streq(name, "always") || streq(name, "unless-stopped") ||
		     streq(name, "on-failure");

	if (json_object_get(rp, "MaximumRetryCount") &&
	    !json_is_integer(json_object_get(rp, "MaximumRetryCount")) &&
	    !json_is_null(json_object_get(rp, "MaximumRetryCount")))
		return err_invalid(e, "json: cannot unmarshal into Go struct field "
				      "RestartPolicy.MaximumRetryCount of type int");
	if (!known)
		return err_invalid(e,
				   "invalid restart policy: unknown policy '%s'; use one of 'no', "
				   "'always', 'on-failure', or 'unless-stopped'",
				   name);
	if (max < 0)
		return err_invalid(
			e, "invalid restart policy: maximum retry count cannot be negative");
	if (max > 0 && !streq(name, "on-failure"))
		return err_invalid(e,
				   "invalid restart policy: maximum retry count can only be used "
				   "with 'on-failure'");
	if (jb(host, "AutoRemove") && !streq(name, "no"))
		return err_invalid(e, "can't create 'AutoRemove' container with restart policy");
	return 0;
}

static int check_network_mode(const json_t *config, const json_t *host, struct err *e)
{
	const char *mode = js(host, "NetworkMode");
	bool shared = str_has_prefix(mode, "container:"), is_host = streq(mode, "host");

	if (shared && !mode[strlen("container:")])
		return err_invalid(
			e, "Invalid network mode: invalid container format container:<name|id>");
	if (shared && *js(config, "Hostname"))
		return err_invalid(e, "conflicting options: hostname and the network mode");
	if ((shared || is_host) && json_array_size(jo(host, "Links")))
		return err_invalid(e,
				   "conflicting options: host type networking can't be used with "
				   "links. This would result in undefined behavior");
	if (shared && json_array_size(jo(host, "Dns")))
		return err_invalid(e, "conflicting options: dns and the network mode");
	if (shared && json_array_size(jo(host, "ExtraHosts")))
		return err_invalid(
			e, "conflicting options: custom host-to-IP mapping and the network mode");
	if (shared && *js(config, "MacAddress"))
		return err_invalid(e, "conflicting options: mac-address and the network mode");
	if (shared && (json_object_size(jo(host, "PortBindings")) || jb(host, "PublishAllPorts")))
		return err_invalid(
			e,
			"conflicting options: port publishing and the container type network mode");
	if (shared && json_object_size(jo(config, "ExposedPorts")))
		return err_invalid(
			e,
			"conflicting options: port exposing and the container type network mode");
	return 0;
}

/* --add-host takes IPv6 addresses in brackets, too. */
static int host_ip(const char *text, struct ip *ret)
{
	auto_free char *bare = text[0] == '[' && text[strlen(text) - 1] == ']'
				       ? strndup(text + 1, strlen(text) - 2)
				       : NULL;

	return ip_parse(bare ? bare : text, ret);
}

static int check_hosts(const json_t *host, struct err *e)
{
	json_t *s;
	size_t i;

	json_array_foreach(jo(host, "ExtraHosts"), i, s)
	{
		const char *text = json_string_value(s), *sep = strpbrk(text, ":=");
		struct ip addr;

		if (!sep || sep == text)
			return err_invalid(e, "bad format for add-host: \"%s\"", text);
		if (!streq(sep + 1, "host-gateway") && host_ip(sep + 1, &addr) < 0)
			return err_invalid(e, "invalid IP address in add-host: \"%s\"", sep + 1);
	}
	json_array_foreach(jo(host, "Dns"), i, s)
	{
		struct ip addr;

		if (ip_parse(json_string_value(s), &addr) < 0)
			return err_invalid(e, "invalid IP address: %s", json_string_value(s));
	}
	return 0;
}

/* --gpus: no driver of devices is registered. Go's %v: [[gpu nvidia] [x]] */
static int check_device_requests(const json_t *list, struct err *e)
{
	const json_t *first = json_array_get(list, 0);
	auto_buf struct buf caps = BUF_INIT(4096);
	json_t *any = jo(first, "Capabilities"), *all, *one;
	size_t i, k;

	if (!json_array_size(list))
		return 0;
	json_array_foreach(any, i, all)
	{
		(void)buf_puts(&caps, i ? " [" : "[");
		json_array_foreach(all, k, one)
		{
			(void)buf_printf(&caps, "%s%s", k ? " " : "",
					 json_is_string(one) ? json_string_value(one) : "");
		}
		(void)buf_putc(&caps, ']');
	}
	return err_invalid(e, "could not select device driver \"%s\" with capabilities: [%s]",
			   js(first, "Driver"), buf_str(&caps));
}

static int check_caps(const json_t *host, struct err *e)
{
	auto_strv char **add = jstrv(host, "CapAdd"), **drop = jstrv(host, "CapDrop");
	uint64_t caps;

	return caps_resolve(add, drop, jb(host, "Privileged"), &caps, e);
}

/* HOST_NAME_MAX of the kernel */
static int check_names(const json_t *config, const json_t *host, struct err *e)
{
	const char *isolation = js(host, "Isolation"), *key;
	json_t *v;

	if (strlen(js(config, "Hostname")) > 64)
		return err_invalid(e, "hostname \"%s\" is too long (maximum 64 bytes)",
				   js(config, "Hostname"));
	if (*isolation && strcasecmp(isolation, "default") != 0)
		return err_invalid(e, "invalid isolation '%s' on linux", isolation);
	json_object_foreach(jo(host, "Annotations"), key, v)
	{
		if (!*key)
			return err_invalid(e, "invalid Annotations: the empty string is not "
					      "permitted as an annotation key");
	}
	return 0;
}

static int check_unsupported(struct engine *en, const json_t *host, struct err *e)
{
	const char *rt = js(host, "Runtime");

	(void)en;
	if (!streq(rt, "crun") && !streq(rt, "runc") && !streq(rt, "io.containerd.runc.v2"))
		return err_invalid(e, "unknown or invalid runtime name: %s", rt);
	return check_device_requests(jo(host, "DeviceRequests"), e);
}

int spec_validate(struct engine *en, const json_t *config, const json_t *host, struct err *e)
{
	int (*const checks[])(const json_t *, struct err *) = {restart_policy_valid,
							       device_rules_valid, check_hosts};
	const char *wd = js(config, "WorkingDir"), *sig = js(config, "StopSignal"), *key;
	json_t *v;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(checks); i++)
		if ((r = checks[i](host, e)) < 0)
			return r;
	if ((r = resources_valid(host, false, e)) < 0 || (r = health_valid(config, e)) < 0 ||
	    (r = modes_check(config, host, e)) < 0 || (r = remap_check(en, host, e)) < 0 ||
	    (r = security_parse(en, host, &(struct security){0}, e)) < 0 ||
	    (r = check_caps(host, e)) < 0 || (r = check_names(config, host, e)) < 0 ||
	    (r = check_network_mode(config, host, e)) < 0 ||
	    (r = publish_check(config, host, e)) < 0 || (r = check_unsupported(en, host, e)) < 0)
		return r;
	if (*wd && *wd != '/')
		return err_invalid(
			e, "the working directory '%s' is invalid, it needs to be an absolute path",
			wd);
	if (*sig && (r = engine_signal_parse(sig, &(int){0}, e)) < 0)
		return r;
	json_object_foreach(
		json_object_get(host, "Sysctls"), key,
		v) if (streq(js(host, "NetworkMode"), "host") &&
		       str_has_prefix(key, "net.")) return err_invalid(e,
								       "sysctl %s not allowed in "
								       "host network namespace",
								       key);
	json_array_foreach(jo(config, "Env"), i,
			   v) if (*json_string_value(v) == '=' ||
				  !*json_string_value(
					  v)) return err_invalid(e,
								 "invalid environment variable: %s",
								 json_string_value(v));
	return 0;
}
