/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * format.h - lists and inspections: tables, templates, JSON
 *
 * A row is an object of strings (and numbers) under the names that templates use; keys beginning
 * with '_' are for the evaluator and are not shown by json.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct column {
	const char *key, *title;
};
struct listing {
	const struct column *columns; /* every key a template may name */
	size_t n;
	const char *table; /* the default: "{{.ID}}\t{{.Names}}" */
	const char *quiet; /* with -q; NULL: there is none */
};
/* @format NULL or "": the table */
int list_print(const struct listing *l, const json_t *rows, const char *format, bool quiet,
	       struct err *e) MUST_CHECK;
/* one row at a time, for streams: json or a template with a line break behind */
int row_print(const json_t *row, const char *format, struct err *e) MUST_CHECK;
/* objects as inspect shows them: an array, or @format over each */
int inspect_print(const json_t *objects, const char *format, struct err *e) MUST_CHECK;
/* ready-made cells for a row */
void row_set(json_t *row, const char *key, const char *value);
void row_setf(json_t *row, const char *key, const char *fmt, ...) PRINTF(3, 4);
void row_set_buf(json_t *row, const char *key, struct buf *value); /* empties @value */
void row_set_labels(json_t *row, const json_t *labels);		   /* "Labels" and "_labels" */
/* tab-separated @lines in columns, as docker aligns them; pure */
void columns_align(struct buf *out, const char *lines);
/* sha256:... to 12 digits, as docker shows ids */
const char *short_id(const char *id, bool whole, char out[80]);
