---@meta
-- What Tidelock's scripts see and may call, for editors (lua-language-server). Nothing here is run. A script sees the values of its kind: a scope
-- mapping user, application, provider, token, session, request; a policy context instead of token; a source's mapping info, claims, properties,
-- source, client; conversion rules in Lua claims. What README.md says of each goes for these names.

---@class tidelock.List A list with questions behind it; both list.all() and list:all()
---@field all fun(): tidelock.List
---@field filter fun(wanted: table): tidelock.List { name = "x", name__startswith = "x", attributes__floor = 3 }
---@field exclude fun(unwanted: table): tidelock.List
---@field first fun(): any the first, or nil
---@field exists fun(): boolean
---@field count fun(): integer
---@field values_list fun(field: string): any[]

---@class tidelock.Group
---@field name string
---@field uuid string
---@field pk integer
---@field attributes table
---@field is_superuser boolean whether its members may do everything here
---@field parent_names? string[] only where it has any

---@class tidelock.AskedGroup: tidelock.Group
---@field group_uuid string uuid, as authentik calls it
---@field num_pk integer pk, as authentik calls it
---@field parents tidelock.List of groups
---@field roles tidelock.List of { name }: the attribute `roles`
---@field users? string[] of ak_group_by: user names, 1,000 at most

---@class tidelock.Groups: tidelock.List
---@field [integer] tidelock.AskedGroup
---@overload fun(): tidelock.Groups

---@class tidelock.User
---@field username string
---@field name string
---@field email string
---@field email_verified boolean
---@field uid string
---@field uuid string
---@field pk integer
---@field is_active boolean
---@field is_superuser boolean
---@field type string "internal", "external", "service_account" …
---@field path string the attribute `path`, else "users"
---@field attributes table
---@field date_joined integer seconds since 1970
---@field last_login? integer
---@field password_change_date? integer
---@field groups tidelock.Groups those that the person is in
---@field all_groups tidelock.Groups these and all that they are in

---@class tidelock.AskedUser: tidelock.User
---@field ak_groups tidelock.Groups groups, as authentik called it
---@field group_attributes fun(request?: table): table those of all groups and the person's own, merged
---@field app_entitlements fun(application: string|tidelock.Application): tidelock.List of { name }
---@field app_entitlements_attributes fun(application: string|tidelock.Application): table
---@field all_roles fun(): tidelock.List of { name }

---@class tidelock.Application
---@field slug string
---@field name string
---@field client_id string

---@class tidelock.Provider
---@field name string
---@field client_id string
---@field application tidelock.Application

---@class tidelock.Token
---@field scopes table<integer|string, string|boolean> a list; scopes["email"] is true when it is among them
---@field grant_type string
---@field access_token? string these four: of the source, in its mappings
---@field token_type? string
---@field scope? string
---@field expires_in? integer

---@class tidelock.Session
---@field auth_time integer
---@field amr string[]
---@field acr? string

---@class tidelock.HttpRequest
---@field method? string
---@field path string
---@field user_agent? string
---@field META table<string, string> REMOTE_ADDR, HTTP_USER_AGENT, REQUEST_METHOD, PATH_INFO

---@class tidelock.Request
---@field client_ip string
---@field path string
---@field method? string
---@field user_agent? string
---@field user tidelock.AskedUser
---@field context tidelock.Context
---@field http_request tidelock.HttpRequest
---@field obj { name: string } the script itself

---@class tidelock.Context
---@field application tidelock.Application
---@field provider? tidelock.Provider in mappings
---@field token? tidelock.Token in mappings
---@field pending_user? tidelock.AskedUser in policies, and all below
---@field oauth_scopes? table<integer|string, string|boolean>
---@field oauth_grant_type? string
---@field oauth_redirect_uri? string
---@field oauth_response_type? string
---@field oauth_max_age? integer
---@field oauth_code_challenge? string
---@field oauth_code_challenge_method? string
---@field oauth_jwt? table
---@field auth_method? string
---@field auth_method_args? { amr: string[], acr: string, auth_time: integer }
---@field [string] any what ak_call_policy added

---@class tidelock.Response
---@field status integer
---@field status_code integer
---@field ok boolean below 400
---@field headers table<string, string>
---@field body string
---@field text string
---@field content string
---@field json fun(): any

---@class tidelock.RequestOptions
---@field headers? table<string, string>
---@field params? table<string, any> of the query
---@field timeout? number seconds, 4 at most
---@field json? any
---@field form? table<string, any>
---@field data? table<string, any>|string
---@field body? string

---@class tidelock.Address
---@field text string
---@field version 4|6
---@field private boolean
---@field is_private boolean
---@field loopback boolean
---@field is_loopback boolean

---@class tidelock.Network
---@field text string
---@field contains fun(self: tidelock.Network, address: string|tidelock.Address): boolean

-- ---- values ----

---@type tidelock.AskedUser
user = nil
---@type tidelock.Application
application = nil
---@type tidelock.Provider
provider = nil
---@type tidelock.Token
token = nil
---@type tidelock.Session
session = nil
---@type tidelock.Request
request = nil
---@type tidelock.HttpRequest
http_request = nil
---@type tidelock.Context
context = nil
---@type string
ak_client_ip = nil
---@type boolean whether the person came from a source
ak_is_sso_flow = nil
---@type integer seconds since 1970
now = nil
---@type table the profile, in a source's mappings
info = nil
---@type table of the verified ID token, in a source's mappings; in conversion rules, all claims
claims = nil
---@type { username: string, name: string, email: string, email_verified: boolean, attributes: table, groups: table[] } what is known so far, in a source's mappings
properties = nil
---@type { name: string, title: string, kind: string } in a source's mappings
source = nil
---@type { client_id: string } in a source's mappings
client = nil
---@type string in a source's mappings of groups
group_id = nil

-- ---- texts, lists, times ----

---@param value string
---@param pattern string a regular expression, found anywhere in value
---@return boolean
function regex_match(value, pattern) end
---@param value string
---@param pattern string
---@param replacement string \1 is the first group
---@return string
function regex_replace(value, pattern, replacement) end
function list_flatten(value) end
---@return string
function slugify(text) end
---@param seconds? integer now, without it
---@return { year: integer, month: integer, day: integer, hour: integer, minute: integer, second: integer, weekday: integer, utc_offset: integer }
function localtime(seconds) end
---@return string hexadecimal
function sha256(text) end

json = {}
json.null = nil
---@return string
function json.encode(value) end
---@return any value nil, a reason and an offset where it is none
function json.decode(text) end

base64 = {}
---@return string
function base64.encode(bytes) end
---@return string?
function base64.decode(text) end
---@return string
function base64.url_encode(bytes) end
---@return string?
function base64.url_decode(text) end

-- ---- addresses ----

ip = {}
---@return tidelock.Address?
function ip.parse(text) end
---@return boolean
function ip.in_network(address, network) end
---@return boolean
function ip.is_private(address) end
---@return boolean
function ip.is_loopback(address) end
---@return tidelock.Address
function ip_address(text) end
---@return tidelock.Network
function ip_network(text) end
---@param version? 4|6
---@return string[]
function resolve_dns(host, version) end
---@return string
function reverse_dns(address) end

-- ---- people ----

---@param someone tidelock.User
---@param group string|table
---@return boolean
function is_member(someone, group) end
---@param someone tidelock.User
---@param group string|table
---@return boolean
function ak_is_group_member(someone, group) end
---@return boolean
function ak_user_has_authenticator(someone, kind) end
---@param wanted table may.users
---@return tidelock.AskedUser?
function ak_user_by(wanted) end
---@param wanted table may.users
---@return tidelock.AskedGroup?
function ak_group_by(wanted) end

-- ---- the broker ----

---@param name string
---@param more? table added to the context
---@return { passing: boolean, messages: string[], raw_result: any }
function ak_call_policy(name, more) end
---@param action string
---@param values? table
function ak_create_event(action, values) end
---@param action string
---@param values? table
function event(action, values) end
---@param someone tidelock.User the one that this is about
---@param of string|tidelock.Application may.tokens_for
---@param scopes string[]|string
---@param validity? string|integer
---@return string
function ak_create_jwt(someone, of, scopes, validity) end
---@param of string|tidelock.Application may.sign
---@param validity? string|integer
---@param values? table
---@return string
function ak_create_jwt_raw(of, validity, values) end
---@param name string|table may.source_tokens
---@return string?
function source_token(name) end
---@return false
function ak_send_email(address, subject, options) end
---@param text string a policy's: what the person is told
function ak_message(text) end

log = {}
---@param values? table
function log.debug(message, values) end
---@param values? table
function log.info(message, values) end
---@param values? table
function log.warning(message, values) end
---@param values? table
function log.warn(message, values) end
---@param values? table
function log.error(message, values) end
ak_logger = log

-- ---- other hosts: may.http ----

http = {}
---@param options? tidelock.RequestOptions
---@return tidelock.Response
function http.request(method, url, options) end
---@param options? tidelock.RequestOptions
---@return tidelock.Response
function http.get(url, options) end
---@param options? tidelock.RequestOptions
---@return tidelock.Response
function http.post(url, options) end
---@param options? tidelock.RequestOptions
---@return tidelock.Response
function http.put(url, options) end
---@param options? tidelock.RequestOptions
---@return tidelock.Response
function http.patch(url, options) end
---@param options? tidelock.RequestOptions
---@return tidelock.Response
function http.delete(url, options) end
---@param options? tidelock.RequestOptions
---@return tidelock.Response
function http.head(url, options) end
requests = http
