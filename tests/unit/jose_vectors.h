/* jose_vectors.h: keys and tokens made by another implementation (node 20, OpenSSL), and RFC 7638's example. */
#pragma once

static const char rsa_jwk[] =
	"{\"kty\":\"RSA\",\"n\":\"wjO9bnJMtiL07UhKR6E7F3lU6D65ftZTdRNIE_ZhjFq81KzVr2BZr-"
	"V9tfzCxGqwCFvpotMBopvJEtN-jS"
	"inbPSqr-YH8T1NL-"
	"LmavS5MKpMDhR93zYG25LDF5nyAylJEIsGAso1oIQjflcrnrkZ4xsOv3tqqeQVlZk7NUZPD0aHJQ6qFvPJcX"
	"acz6qJ0uG-"
	"nvbaD87mUNjzi5WrTybxvuBimATQzA19iMJKeg85NrqttHMIGPR1EopQkGZUtVDrkNkjr1AVV7rJEiz752nAw4U2RA"
	"hUQbqEFcGqmcAbgnZHcgA8y7a4HJw5AQVqiLTNXzb7O2GvbVq_LhB4ALBjqQ\",\"e\":\"AQAB\"}";

static const char rs256_token[] = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIn0."
				  "BVSzRFfWPTrFaAlpH4Qh0LU2TTvCX8Mfh1-FKEj"
				  "vrBkLph0rhZXlr1kFxUL09PxTFA1VvaLKdXhZFRT4ccy7wKGXnPJlkuluZPtWhkm"
				  "kxuij6KelBs1bA2BAEBOP7AO2rWWpgT0vox-"
				  "inyLsj1UMZa_cMZ496torsEvi1zd6kvIUhyhVw1wXugKgO78vjst0HiSVx4y7-"
				  "9kYigXK64c9rSPHM5QmcYAo6f__Tefv8sQb-Q2"
				  "7wb_yr1z_9rYhrXzrP027syVQfEspbkCu91fpT4mhtWSMyBx_"
				  "z1NmKYlLyoII1lzzAzZUji3dKNvZzhOztvS6Jws_S2umLf-b4cB"
				  "vbA";

static const char ps256_token[] =
	"eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIn0.IbsMJb1ajRk_"
	"BTYm7wMMKOyKDCXtd_yyZ5KnWD4"
	"raYoUdOkVtltUBun5Y3vML3usr4zZ1U-l81B9Gl657lXMjnFkfaVy2xBpdbV8yTbqdwoyQcJqgFLr_"
	"bIWWVVYQcjc3GTf3tjHyVm"
	"wJstGsAI6F6_lkjEyZdl6uX4tnSrPdkHKe8z99QjiM0R3Su8aGZ2LiC9OPLrnHlAA0G-"
	"7BDDEZS7a30V8f2T0XcNTX4KqzKztPsz"
	"aL2AyVuxiEctBzhlC_LpHTnTND2R8eEu6kSZN-_h6BpEmIZ6Zw559l8kI6JQwTJdV1O6dInDMMAm8Jz-"
	"a8oJuKuWXYRL1jdy6EuT"
	"6ZQ";

static const char ps256_salt20_token[] =
	"eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIn0.M-"
	"xkBIiJGBmN07tQpSp1J8z3VQWGRHOfoL44plc"
	"uVE-ADtCaYqU9JaO40fLWmiHzvXVC3MRntICHdreS3e2VwF8KOjA-"
	"Z0KHK7kcv2QLLKETgkNhQHUsvTtAuqHPOJyyPOWOh5p97mP"
	"ayObM7nWdOy2130hSgGHvRcB6mrSq8g2GwU4S_7BaYgGRq0MVYcEvThOgK5EQPqPHOjrL9TFVTKHU9f_"
	"uysJdfpXEGVOZliyDQ-E"
	"0Np76I2OqoEm_A1aLXX-R4iycMT5OfVACUye84MCc9knFVgtfL1LB3mR_8SegeaC5lRilY-OIhmXvjUV4_"
	"YnLSI3BwJKzUAliGbQ"
	"U6Q";

static const char es256_jwk[] = "{\"kty\":\"EC\",\"x\":\"567BBwDMaxAxuTY14fBE9oEClbWXK7PL-"
				"inLoRWZ24A\",\"y\":\"ox18rdGlGog7kirjDZAx7mAiVrkcf5TqK"
				"B4zB5MT3vM\",\"crv\":\"P-256\"}";

static const char es256_token[] = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIn0."
				  "ImXHoF1l3FhhhG9IJ9PC-hIlg8UYATWpvaeNKgh"
				  "_mQe_fvD6JltAIuAWJ1kgjSgxWRiHCY5a5tlvXWTRxURG5w";

static const char es384_jwk[] =
	"{\"kty\":\"EC\",\"x\":\"cGUhoTx2OuYje5kBxyCG0cOqaBVL4_N66lgpLGEA92piaNC8NpM3sfHCLvUGf_"
	"o2\",\"y\":\"h-IPbn9vFHv1"
	"ZKsbfMzNtfqQSuCqgTZYEpygkJz4WuSyKmpofYKVPTbATpfZpRej\",\"crv\":\"P-384\"}";

static const char es384_token[] =
	"eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIn0.zdqSQSXRP98b1KCQ1JSnV-"
	"MtsFwMlj42jj-c7yE"
	"gT8xdY3AH3TPXBDClsXRc6-N8pgsb-PYz1PVsYp82gpnLLt9rtpwAmPNfD1X-sxQ8r9jt4YXmqfn0vspGyM4S2fJa";

static const char es512_jwk[] =
	"{\"kty\":\"EC\",\"x\":\"ABZV8X1vmPwMxEiKsyaHpPSBaR6xiEHvY0oUVthOmGvC5ndR5_g-"
	"JkriAtLRQ3ovp7k69CUeoMILfsJtWV_"
	"EsZe3\",\"y\":\"AIS1mYrE8uPbOyWUq_0HVlaQc0Gg9Kh5A_"
	"ut58alb6heCvkmqg3Mr4QykyKSTTUnFMvZtparRpTGBWPnX_0kJLiO"
	"\",\"crv\":\"P-521\"}";

static const char es512_token[] = "eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzb21lb25lIn0."
				  "AL6NTizgrCr_UYWZqOaBBL79w72Uuf_UiIFqyeS"
				  "XvydzUsavWdbkbwQb7WZ1cn2u07_7-bGH2IpE9ALXDNKehQxHAQ-"
				  "1UUtqkU2gyOTcKSiTN4fu5_s63TB_AzRw52X2UkqdUOwagQD"
				  "mV4prOvday2ayu1jR4O9BCXKy1yIZByUuqtoW";

static const char rfc7638_jwk[] =
	"{\"kty\":\"RSA\",\"n\":"
	"\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6"
	"tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-"
	"65YGjQR0_FDW2Qvz"
	"qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
	"bFTWhAI4vMQFh6WeZu0fM4lFd2"
	"NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":"
	"\"RS256\",\"kid\":\"2011-0"
	"4-29\"}";

static const char rsa1024_jwk[] = "{\"kty\":\"RSA\",\"n\":\"r0Eu_dL57dFcYcqSpz9frpxzf4TwU_"
				  "yqBD3q4zNpVvnaiF6_0Gz1wt_3jgtmPIPTRol25JGpzsr_gHwcOO"
				  "4a_JB-nYbquNcazXh_LxJbk-vHDaPNELo8DZQ7e11sk8i-eXh8HeliMEQCw_"
				  "FWt3XEByhMdW9XQCT-Ih4DcCfsOJs\",\"e\":\"AQAB"
				  "\"}";

static const char rsa_e3_jwk[] =
	"{\"kty\":\"RSA\",\"n\":\"t-b-oWkU4majMYZA7b1dL4qzzE2cD9P_jzNuyAnHH7y_"
	"wcA7u3RSX8LaUPFWG7vC1QZxvvLoNUh03nYH6C"
	"syE0lwqW8d7IOkclbtFlZxJrGXICNb--EwZkP5tUu0OuRi2-cb_3yYJDetU6qLsyo_5009aC_"
	"xHOw0WvgYijNehpsEThrpu22GiZ"
	"mGlow7_UMMUh07vWr_iNUr_KAZdXQwxOhPglIqhpqIymuVOULPDGFOOP62G_"
	"G0WdZxgkbL96tvFxE4ExIYNONu5XYQSb0jsoykS0"
	"inNLGgY5HQM1CfRzukib5hGZRlZ1minoqDD1FlpzADQFv1wMSw2Xjrht9veQ\",\"e\":\"Aw\"}";
