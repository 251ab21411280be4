-- Open invoices as USR-21 would have left them, numbered :first to :last, each for ten units.
-- Variables: first, last, provider
INSERT INTO payment_invoices (user_id, amount, description, provider, external_id, invoice_id, invoice_url)
SELECT u.first + n % u.count, 1000, 'Top-up', :'provider', 'bench-' || n, 'inv_bench_' || n,
    'http://127.0.0.1/sandbox/invoices/inv_bench_' || n
FROM (SELECT min(id) AS first, count(*) FROM users WHERE username LIKE 'bench-%') AS u, generate_series(:first::bigint, :last) n ORDER BY n;
ANALYZE payment_invoices;
