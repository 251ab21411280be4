-- A payout that was just made, to be asked for.
-- $1 its posting
-- One row: id, amount, wallet, its status, reference_id, bank, account, holder, description, status.
SELECT p.id, p.amount, w.id, w.status, p.reference_id, p.bank_code, p.account_number, p.account_holder_name, p.description, p.status
FROM payouts p LEFT JOIN account w ON w.owner_user_id = p.user_id AND w.kind = 'wallet'
WHERE p.posting = $1::bigint
