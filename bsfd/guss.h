/*
 * guss: a subscriber's GBA user security settings: checked when it is added, picked and printed for Zn.   TS 29.109 Annex A
 * Form: [{"id":7,"type":0,"nafGroup":"A","ueIds":["sip:alice@example.org"],"flags":[1],"keyChoice":"ME-based-key"}]; id and type
 * are needed. Pure.
 */
#ifndef BSFD_GUSS_H
#define BSFD_GUSS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rc.h"

#define BSF_USS_MAX 16		/* USSs of one subscriber; ueIds, flags of one USS */
#define BSF_USS_TEXT_MAX 255	/* characters of a ueId, a nafGroup */

/* RC_SYNTAX: text says what was wrong. */
enum rc bsf_guss_check(const json_t *uss, char *text, size_t cap) MUST_USE;
/*
 * The ussList of those whose id is among gsids; *n = 0 when there is none.
 *   uss  a checked one as text, "" = none
 * RC_SYNTAX (not a checked one), RC_RANGE (over cap).
 */
enum rc bsf_guss_print(const char *uss, const uint32_t *gsids, size_t n_gsids, char *out, size_t cap, size_t *n) MUST_USE;

#endif
