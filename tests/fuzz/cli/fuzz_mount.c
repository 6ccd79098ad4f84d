/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_mount.c - the values of --mount, --network, --ulimit, --device and --cpus */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/create.h"
#include "cli/tty.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the check lets pass is written as one whole value. */
static void written(const char *text, int (*check)(const char *value, struct err *e),
		    void (*write)(struct jsonw *w, const char *value))
{
	auto_buf struct buf out = BUF_INIT(16u << 20);
	struct jsonw w = JSONW_INIT(&out);
	auto_json json_t *j = NULL;
	struct err e = {0};

	if (check(text, &e) < 0) {
		if (!e.msg[0])
			abort();
		return;
	}
	write(&w, text);
	if (buf_err(&out) || json_read(buf_str(&out), out.len, &j, &e) < 0 || !json_is_object(j))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size), *path = NULL;
	struct detach d;
	struct err e = {0};

	if (!text)
		return 0;
	written(text, check_mount, mount_object);
	written(text, check_ulimit, ulimit_object);
	written(text, check_device, device_object);
	if (check_network(text, &e) < 0 && !e.msg[0])
		abort();
	if (check_cpus(text, NULL) >= 0 && cpus_nano(text) < 0)
		abort();
	path = absolute_path(text);
	if (detach_parse(text, &d, NULL) >= 0 && d.n > DETACH_KEYS_MAX)
		abort();
	return 0;
}
