/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry_auth.c - X-Registry-Auth and AuthConfig objects */
#include "image/registry_auth.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/str.h"

static void wipe(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void registry_auth_done(struct registry_auth *a)
{
	wipe(&a->user);
	wipe(&a->password);
	wipe(&a->identity_token);
	wipe(&a->registry_token);
}

/* a header line is made of these: no control characters */
static bool clean(const char *s)
{
	for (; s && *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static int take(const json_t *j, const char *key, char **to, struct err *e)
{
	const char *v;
	int r = json_get_str(j, "AuthConfig", key, &v, e);

	if (r < 0 || str_empty(v))
		return r;
	if (!clean(v))
		return err_invalid(e, "invalid auth configuration: %s has a control character",
				   key);
	return str_set(to, v) < 0 ? err_nomem(e) : 0;
}

/* "auth": what a client's configuration file holds */
static int take_pair(const json_t *j, struct registry_auth *a, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(REGISTRY_AUTH_MAX);
	const char *v, *colon;
	int r = json_get_str(j, "AuthConfig", "auth", &v, e);

	if (r < 0 || str_empty(v) || a->user)
		return r;
	r = base64_decode(&text, v, strlen(v));
	colon = r < 0 ? NULL : strchr(buf_str(&text), ':');
	if (!colon || strlen(buf_str(&text)) != text.len || !clean(buf_str(&text)))
		r = err_invalid(e,
				"invalid auth configuration: auth is no base64 of user:password");
	else if (!(a->user = strndup(text.data, (size_t)(colon - text.data))) ||
		 str_set(&a->password, colon + 1) < 0)
		r = err_nomem(e);
	if (text.data)
		explicit_bzero(text.data, text.len);
	return r;
}

int registry_auth_from_json(const json_t *j, struct registry_auth *ret, struct err *e)
{
	struct registry_auth a = {0};
	int r = json_is_object(j) ? 0 : err_invalid(e, "invalid auth configuration: no object");

	if (r >= 0)
		r = take(j, "username", &a.user, e);
	if (r >= 0)
		r = take(j, "password", &a.password, e);
	if (r >= 0)
		r = take(j, "identitytoken", &a.identity_token, e);
	if (r >= 0)
		r = take(j, "registrytoken", &a.registry_token, e);
	if (r >= 0)
		r = take_pair(j, &a, e);
	if (r < 0)
		registry_auth_done(&a);
	else
		*ret = a;
	return r;
}

int registry_auth_parse(const char *header, struct registry_auth *ret, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(REGISTRY_AUTH_MAX);
	auto_json json_t *j = NULL;
	int r;

	*ret = (struct registry_auth){0};
	if (str_empty(header))
		return 0;
	if (base64_decode(&text, header, strlen(header)) < 0)
		return err_invalid(e, "invalid X-Registry-Auth header: must be base64 (RFC 4648)");
	if (!text.len)
		return 0;
	r = json_read(text.data, text.len, &j, NULL);
	if (r >= 0)
		r = registry_auth_from_json(j, ret, e);
	else
		r = err_invalid(e, "invalid X-Registry-Auth header: its content is no JSON");
	explicit_bzero(text.data, text.len);
	return r;
}

json_t *registry_auth_json(const struct registry_auth *a)
{
	return json_pack("{s:s?,s:s?,s:s?,s:s?}", "username", a->user, "password", a->password,
			 "identitytoken", a->identity_token, "registrytoken", a->registry_token);
}

void registry_auth_basic(const struct registry_auth *a, struct buf *out)
{
	auto_buf struct buf pair = BUF_INIT(REGISTRY_AUTH_MAX);

	(void)buf_printf(&pair, "%s:%s", a->user ? a->user : "", a->password ? a->password : "");
	(void)buf_puts(out, "Basic ");
	if (buf_err(&pair)) {
		out->fail = buf_err(&pair);
		return;
	}
	base64_encode(out, pair.data, pair.len, false);
	explicit_bzero(pair.data, pair.len);
}
