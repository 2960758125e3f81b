/** What rules and requests are drawn from: few enough that they meet, alike enough that they nearly do. */

export const IDS: readonly string[] = [
  "spiffe://shop.test/ns/shop/sa/web",
  "spiffe://shop.test/ns/shop/sa/job",
  "spiffe://shop.test/ns/pay/sa/web",
  "spiffe://shop.test/ns/pay/sa/ledger",
  "spiffe://other.test/ns/shop/sa/web",
  "spiffe://other.test/vm/legacy",
];
export const TRUST_DOMAIN_NAMES: readonly string[] = ["shop.test", "other.test"];
export const NAMESPACES: readonly string[] = ["shop", "pay"];
export const ACCOUNTS: readonly string[] = ["shop/web", "shop/job", "pay/web", "pay/ledger"];

export const CALLER_ADDRESSES: readonly string[] = ["127.9.0.1", "127.9.0.130", "127.9.1.5", "127.10.0.7", "127.0.0.9"];
export const PEER_BLOCKS: readonly string[] = [
  ...["127.9.0.0/24", "127.9.0.128/25", "127.9.0.0/25", "127.9.0.0/16", "127.8.0.0/15", "127.10.0.0/15", "127.9.1.4/30"],
  ...["127.10.0.7", "127.9.0.1/32", "127.0.0.0/8", "0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32", "::/0"],
];
/** Both ends are on loopback, ours on the first address and Envoy on the second. */
export const LOCAL_BLOCKS: readonly string[] = [
  "127.0.0.0/30",
  "127.0.0.0/29",
  "127.0.0.4/30",
  "127.0.0.8/29",
  "127.0.0.0/8",
  "10.0.0.0/8",
];
export const FORWARDED_ADDRESSES: readonly string[] = [
  "10.1.2.3",
  "10.1.130.4",
  "192.0.2.77",
  "2001:db8::5",
  "2001:db8:0:1::1",
  "127.9.0.1",
];
export const FORWARDED_BLOCKS: readonly string[] = [
  ...["10.1.0.0/16", "10.1.128.0/17", "10.1.2.2/31", "192.0.2.64/26", "192.0.2.77", "2001:db8::/64", "2001:db8::4/127", "2001:db8::/32"],
  ...["127.0.0.0/8", "127.9.0.0/16", "10.0.0.0/8"],
];

export const METHODS: readonly string[] = ["GET", "POST", "PUT", "DELETE"];
export const HOSTS: readonly string[] = ["reviews.shop.test", "ratings.shop.test", "api.example.com", "reviews"];
export const SERVER_NAMES: readonly string[] = ["reviews.shop.test", "ratings.shop.test", "reviews.other.test"];

export const HEADER_NAMES: readonly string[] = ["x-team", "x-version"];
export const HEADER_TEXTS: readonly string[] = ["blue", "Blue", "blue-green", "dark-blue", "red", "v1.2"];

export const PATHS: readonly string[] = [
  ...["/", "/admin", "/admin/", "/admin/users", "/adminx", "/Admin", "/x/admin", "/api/orders", "/api/orders/7", "/api/orders/7/items"],
  ...["/api/orders/7/8/items", "/API/orders", "/static/app.js", "/static/app.json", "/health", "/a%2Fb", "/api/a%20b"],
];
export const PATH_TEMPLATES: readonly string[] = [
  ...["/api/{*}", "/api/{*}/7", "/api/orders/{*}/items", "/{*}/orders/{**}", "/api/{**}", "/api/{**}/items", "/{*}", "/{**}"],
];
export const PATH_EXPRESSIONS: readonly string[] = ["/api/orders/[0-9]+", "/(admin|health)", "/.*\\.js(on)?", "(?i)/admin.*", "/a.*"];

export const CLAIM_VALUES: Readonly<Record<string, readonly string[]>> = { groups: ["admin", "dev"], "org.role": ["lead", "member"] };
export const SUBJECTS: readonly string[] = ["jane", "jim", "janet"];
export const AUDIENCES: readonly string[] = ["reviews", "ratings", "other"];
export const PRESENTERS: readonly string[] = ["app-1", "app-2"];
