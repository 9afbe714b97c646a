#ifndef KEYS_CTL_OUT_H
#define KEYS_CTL_OUT_H

/* What `--json` writes: one object on standard output at the end, {"command", "exit", what the command put, "messages"}; when nothing could be done a problem
 * document (RFC 9457) instead. Meanwhile lines for people on standard output are collected as messages, and what else is printed there goes nowhere.
 * A command that binds --json itself writes its own JSON; of it only the problem document is made here, when it has written nothing. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"

void out_command(const char *command /* literal */);
/* --json was given. */
void out_begin(void);
/* The same, and the command writes by itself. */
void out_own(void);
/* It has written: whatever it ends with, no problem document follows. */
void out_written(void);
bool out_json(void);       /* out_begin() or out_own() was called */
bool out_collects(void);   /* out_begin() was called */

/* Puts a member into the result; takes v over, also when there is no --json. */
void out_put(const char *name, json_t *v);
/* Appends to the array of that name; takes v over. */
void out_append(const char *name, json_t *v);
void out_put_u64(const char *name, uint64_t v);
void out_put_text(const char *name, const char *v);
void out_put_bool(const char *name, bool v);

/* What was told: collected, and false when it is not to be printed on standard output. */
enum out_level { OUT_INFO, OUT_DONE, OUT_WARNING, OUT_ERROR };
bool out_message(enum out_level level, const char *ja, const char *en, struct err e /* OK: none */);

/* What a partner's problem document said it was. */
void out_failed(enum err_code code);

/* At the end of the program: the object, or the problem document. The exit status. */
int out_finish(int status);

#endif
