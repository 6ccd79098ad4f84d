/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tls.c - certificates' files: what is refused, with which text */

#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "http/client.h"
#include "http/tls.h"
#include "tap.h"

static char dir[] = "/tmp/atoll-test-tls-XXXXXX";

static void one(const char *cert, const char *key, mode_t mode, const char *says)
{
	auto_free char *c = str_printf("%s/cert", dir), *k = str_printf("%s/key", dir);
	struct tls_files f = {.cert = c, .key = k};
	struct tls *t = NULL;
	struct err e = {0};

	(void)fs_unlink(c);
	(void)fs_unlink(k);
	if ((cert && fs_write(c, cert, strlen(cert), 0644) < 0) ||
	    (key && fs_write(k, key, strlen(key), 0600) < 0) || (key && chmod(k, mode) < 0))
		exit(1);
	ok(tls_server_new(&f, false, &t, &e) < 0 && strstr(e.msg, says), "%s", e.msg);
	tls_free(t);
}

int main(void)
{
	struct http_client *c = NULL;
	struct http_security sec = {.files = {.ca = "/nowhere/ca.pem"}, .verify = true};
	struct err e = {0};

	if (!mkdtemp(dir))
		return 1;
	one("x", NULL, 0, "could not read the TLS key");
	one(NULL, "x", 0600, "could not read the TLS certificate");
	one("x", "x", 0644, "may be read or changed by others (mode 0644)");
	one("x", "x", 0620, "may be read or changed by others (mode 0620)");
	one("x", "x", 0640, "could not load the X509 key pair");
	one("", "", 0600, "could not load the X509 key pair");
	ok(http_client_new("tcp://127.0.0.1", &sec, &c, &e) < 0 && strstr(e.msg, "/nowhere/ca.pem"),
	   "%s", e.msg);
	if (fs_rm_tree(dir) < 0)
		printf("# %s stays\n", dir);
	return tap_done();
}
