-- Where the sample data's value lies.
-- $1 e-mail
-- One row: user, oldest active bank account or NULL, points account, treasury, points issuer. No row: no such person.
SELECT u.id,
    (SELECT min(id) FROM account a WHERE a.owner_user_id = u.id AND a.kind = 'bank' AND a.status = 'active'),
    p.id, (SELECT id FROM account WHERE code = 'treasury'), (SELECT id FROM account WHERE code = 'points-issuer')
FROM users u JOIN account p ON p.owner_user_id = u.id AND p.kind = 'points' AND p.status = 'active'
WHERE u.email = $1::text
