-- Points the `batch` of an as-of query at some customers' events, in the open transaction.
SELECT
    set_config('tidings.batch_consumer', %(consumer)s, true),
    set_config('tidings.batch_customers', %(customer_ids)s::text[]::text, true),
    set_config('tidings.batch_upto', %(position)s::text, true)
