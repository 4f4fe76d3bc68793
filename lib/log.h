/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log lines on stderr: text for people and the journal, or one JSON object a line. */
#pragma once

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Sets the program name shown, the format and the least important level that is printed.
 * In text format a line begins with the journal's "<N>" priority when stderr is the journal ($JOURNAL_STREAM)
 * and with "program: " when it is not. */
void log_setup(const char *program, enum log_format format, enum log_level max_level);

/* "text" or "json" to a format; -EINVAL for anything else. */
int log_format_parse(const char *s, enum log_format *out);

/* True when the last setup would print lines of this level. */
bool log_enabled(enum log_level level);

/* Prints one line: a message and `key=value` fields, all given as pairs of `const char *`, ended by NULL:
 *   log_event(LOG_LEVEL_INFO, "client connected", "uid", "999", NULL);
 * Values are escaped, so that nothing from outside can forge a line or reach a terminal. */
void log_event(enum log_level level, const char *message, ...) __attribute__((sentinel));

/* The same with a formatted message and no fields. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
