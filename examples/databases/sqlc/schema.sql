CREATE TABLE product (id bigint PRIMARY KEY, price bigint NOT NULL);
