/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log_record.h - one record of a log, in either format
 *
 *   json-file  {"log":"text\n","stream":"stdout","attrs":{...},"time":"..."}  (Docker's)
 *   local      2026-01-02T03:04:05.000000000Z stdout F text   (also of versions before: k8s-file)
 *
 * Each record says itself which it is, so a file may hold both.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

#define LOG_HEADER_MAX 64 /* "2026-01-02T03:04:05.000000000+00:00 stdout F " is 46 */

struct log_record {
	int stream;   /* 1, 2 */
	bool partial; /* its line goes on in the next record */
	int64_t ns;
	const char *text; /* without the newline */
	size_t len;
	const char *attrs; /* the JSON object, or NULL */
	size_t attrs_len;
};

/* @len bytes of @line without its newline, which are changed: strings are decoded in place and
 * borrowed. Return: false, it is no record */
bool log_record_parse(char *line, size_t len, struct log_record *ret);
/* What a local record's first LOG_HEADER_MAX bytes tell: stream and partial. @json instead for a
 * record of the other format, which tells nothing before its end. */
bool log_record_peek(const char *line, size_t len, struct log_record *ret, bool *json);
