-- What a new tenant has to sell: every thing in every material.
INSERT INTO category (id, parent, name) VALUES
	(1, NULL, 'furniture'), (2, 1, 'seating'), (3, 1, 'tables'), (4, NULL, 'storage');

WITH thing (id, category, name) AS (VALUES
		(0, 2, 'chair'), (1, 2, 'stool'), (2, 2, 'bench'), (3, 3, 'desk'),
		(4, 3, 'side table'), (5, 4, 'shelf'), (6, 4, 'chest'), (7, 4, 'wardrobe')),
	material (id, name) AS (VALUES (1, 'oak'), (2, 'beech'), (3, 'walnut'), (4, 'pine'), (5, 'ash'), (6, 'steel'))
INSERT INTO product (id, category, name, material)
	SELECT thing.id * 6 + material.id, thing.category, thing.name, material.name FROM thing CROSS JOIN material;

INSERT INTO price (product, customer_group, cents)
	SELECT id, 'retail', 3900 + 1000 * (id % 17) FROM product;
INSERT INTO price (product, customer_group, cents)
	SELECT product, 'business', cents - cents / 10 FROM price WHERE product % 2 = 0;

INSERT INTO translation (language, term, text) VALUES
	('de', 'furniture', 'Möbel'), ('de', 'seating', 'Sitzmöbel'), ('de', 'tables', 'Tische'), ('de', 'storage', 'Aufbewahrung'),
	('de', 'chair', 'Stuhl'), ('de', 'stool', 'Hocker'), ('de', 'bench', 'Bank'), ('de', 'desk', 'Schreibtisch'),
	('de', 'side table', 'Beistelltisch'), ('de', 'shelf', 'Regal'), ('de', 'chest', 'Truhe'), ('de', 'wardrobe', 'Schrank'),
	('de', 'oak', 'Eiche'), ('de', 'beech', 'Buche'), ('de', 'walnut', 'Nussbaum'), ('de', 'pine', 'Kiefer'),
	('de', 'ash', 'Esche'), ('de', 'steel', 'Stahl'),
	('fr', 'furniture', 'meubles'), ('fr', 'seating', 'sièges'), ('fr', 'tables', 'tables'), ('fr', 'storage', 'rangement'),
	('fr', 'chair', 'chaise'), ('fr', 'stool', 'tabouret'), ('fr', 'bench', 'banc'), ('fr', 'desk', 'bureau'),
	('fr', 'side table', 'table d''appoint'), ('fr', 'shelf', 'étagère'), ('fr', 'chest', 'coffre'), ('fr', 'wardrobe', 'armoire'),
	('fr', 'oak', 'chêne'), ('fr', 'beech', 'hêtre'), ('fr', 'walnut', 'noyer'), ('fr', 'pine', 'pin'),
	('fr', 'ash', 'frêne'), ('fr', 'steel', 'acier');

INSERT INTO setting (name, value) VALUES ('currency', 'EUR'), ('banner', 'Free delivery in November');
