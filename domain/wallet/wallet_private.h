/* What the files of domain/wallet share. */
#pragma once

#include "domain/wallet/wallet.h"

void wallet_redeem(struct http_request *req);
