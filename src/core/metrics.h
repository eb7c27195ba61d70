/*
 * Metrics of every open space, in Prometheus' terms; see stet_metrics. The names are listed in docs/metrics.md.
 */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include "core/engine.h"

void metrics_visit(stet_engine *engine, stet_metric_visit *visit, void *context);

#endif
