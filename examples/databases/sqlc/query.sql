-- name: Price :one
SELECT price FROM product WHERE id = $1;

-- name: SetPrice :exec
UPDATE product SET price = $2 WHERE id = $1;
