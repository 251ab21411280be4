-- What rewards points may be redeemed for, as one JSON array.
SELECT reward_options_json()
