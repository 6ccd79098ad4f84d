/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text.h - Prometheus's text format, version 0.0.4. Pure.
 *
 * Each metric is written as a whole: its head, then its samples. An error is the buffer's.
 * Source: prometheus.io/docs/instrumenting/exposition_formats.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* "# HELP" and "# TYPE"; @type: counter, gauge, histogram, summary */
void text_metric(struct buf *out, const char *name, const char *type, const char *help);
/* @labels: key, value, ..., NULL; or NULL. Values may be any text. */
void text_u64(struct buf *out, const char *name, const char *const *labels, uint64_t value);
void text_seconds(struct buf *out, const char *name, const char *const *labels, double value);
/* head and value of one without labels */
void text_single(struct buf *out, const char *name, const char *type, const char *help,
		 uint64_t value);
