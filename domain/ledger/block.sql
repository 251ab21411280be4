-- Takes a block of transfer ids: this one and those up to the sequence's next value (INCREMENT BY 4096).
SELECT nextval('transfer_id')
