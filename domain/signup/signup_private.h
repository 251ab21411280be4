/* What the files of signup share. */
#pragma once

#include "domain/signin/steps.h"
#include "domain/signup/signup.h"

void signup_start(struct http_request *req);         /* USR-02 */
void signup_check_email(struct http_request *req);   /* USR-03 */
void signup_confirm(struct http_request *req);       /* USR-04 */
void signup_page(struct http_request *req);          /* USR-60 */

/* Ends the flow with the 409 of what signup_conflict() named. */
void signup_refuse_taken(struct signin_steps *s, struct str what);
/* Whose code it is: for phone_code_new. */
struct str signup_code_scope(struct arena *arena, struct str token);
