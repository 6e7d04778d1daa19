"""German for the text recipe: word lists by slot, and sentence templates."""

NAMES = """
Anna Peter Maria Thomas Julia Michael Laura Stefan Lisa Andreas Sarah Martin Katharina Christian
Emma
Paul Hannah Lukas Sophie Felix Lena Jonas Marie Max Klara Karl Heinrich Jürgen Jörg Günther Käthe
Wolfgang Ursula Monika Frank Klaus Uwe Ralf Sabine Petra Susanne Tobias Daniel Alexander Johannes"""
PLACES = """
Berlin Hamburg München Köln Frankfurt Stuttgart Leipzig Dresden Hannover Bremen Nürnberg Wien Zürich
Salzburg Basel Bonn Düsseldorf Dortmund Essen Heidelberg Deutschland Österreich Europa Frankreich
Italien Spanien Polen England Russland China Amerika Bayern Sachsen Hessen Lübeck Göttingen"""

# infinitive, third person, past, participle (with "haben")
STRONG = """
sehen sieht sah gesehen|geben gibt gab gegeben|nehmen nimmt nahm genommen
finden findet fand gefunden
lesen liest las gelesen|essen isst aß gegessen|trinken trinkt trank getrunken
schreiben schreibt schrieb geschrieben|sprechen spricht sprach gesprochen
treffen trifft traf getroffen
helfen hilft half geholfen|halten hält hielt gehalten|tragen trägt trug getragen
verlieren verliert verlor verloren|bringen bringt brachte gebracht|denken denkt dachte gedacht
kennen kennt kannte gekannt|wissen weiß wusste gewusst|nennen nennt nannte genannt
schließen schließt schloss geschlossen|vergessen vergisst vergaß vergessen
verstehen versteht verstand verstanden|bekommen bekommt bekam bekommen
gewinnen gewinnt gewann gewonnen
beginnen beginnt begann begonnen|singen singt sang gesungen|rufen ruft rief gerufen
lassen lässt ließ gelassen|ziehen zieht zog gezogen|tun tut tat getan|haben hat hatte gehabt
waschen wäscht wusch gewaschen|schneiden schneidet schnitt geschnitten|heben hebt hob gehoben
brechen bricht brach gebrochen|empfehlen empfiehlt empfahl empfohlen|werfen wirft warf geworfen
entscheiden entscheidet entschied entschieden|erhalten erhält erhielt erhalten
beschreiben beschreibt beschrieb beschrieben|verbieten verbietet verbot verboten
schlagen schlägt schlug geschlagen|stehlen stiehlt stahl gestohlen
bitten bittet bat gebeten""".replace("\n", "|")
REGULAR = """
machen sagen fragen hören kaufen lernen lieben spielen suchen zeigen brauchen glauben legen stellen
setzen führen holen kochen malen bauen putzen küssen wählen zählen fühlen prüfen öffnen zeichnen
hassen jagen loben nutzen planen retten schicken stören teilen wecken wünschen trauen drücken
drehen fassen füllen grüßen heilen klären kosten lösen packen pflegen reichen sammeln schenken
schützen spüren tauschen testen trennen üben wagen wechseln"""

WORDS: dict[str, str] = {
    "name": NAMES,
    "place": PLACES,
    "masc": """
Mann Tag Weg Freund Vater Sohn Bruder Lehrer Arzt Hund Baum Tisch Stuhl Schrank Brief Zug Bahnhof
Wagen Bus Berg Fluss See Wald Garten Apfel Kuchen Kaffee Tee Wein Käse Fisch Markt Platz Ort Raum
Film Abend Morgen Winter Sommer Frühling Herbst Wind Regen Schnee Himmel Mond Stern Kopf Arm Fuß
Finger Mund Schuh Mantel Hut Rock Preis Beruf Plan Grund Fehler Erfolg Traum Wunsch Gedanke Satz
Text Name Platz Krieg Frieden König Kaiser Präsident Minister Chef Kollege Nachbar Gast Fahrer
Sänger Maler Dichter Bauer Bäcker Schüler Student Spieler Verein Ball Sport Kampf Teil Staat Bürger
Vertrag Antrag Auftrag Bericht Beitrag Vorschlag Anfang Schluss Zweck Punkt Kreis Strich Schritt
Schlüssel Koffer Teller Löffel Topf Ofen Keller Flur Balkon Turm Hafen Strand Flughafen Unfall""",
    "fem": """
Frau Zeit Stadt Straße Mutter Tochter Schwester Freundin Lehrerin Ärztin Katze Maus Blume Rose Tür
Wand Küche Wohnung Schule Universität Kirche Brücke Bank Post Apotheke Bäckerei Fabrik Firma Arbeit
Aufgabe Frage Antwort Idee Meinung Geschichte Sprache Stimme Musik Kunst Farbe Form Zahl Nummer
Stunde Minute Woche Nacht Sonne Luft Erde Welt Insel Küste Reise Fahrt Karte Zeitung Tasse Flasche
Suppe Milch Butter Wurst Kartoffel Tomate Zitrone Hand Nase Schulter Haut Jacke Hose Bluse Brille
Uhr Lampe Kerze Treppe Decke Tasche Familie Gruppe Regierung Partei Wahl Macht Kraft Ruhe Freude
Liebe Angst Hoffnung Gefahr Lösung Meinung Wahrheit Freiheit Gesundheit Krankheit Möglichkeit
Wirtschaft Gesellschaft Mannschaft Wissenschaft Entwicklung Bedeutung Erfahrung Wirkung Rechnung
Prüfung Zeitschrift Mitte Seite Richtung Gegend Umwelt Technik Maschine Energie Heizung Wäsche""",
    "neut": """
Kind Haus Jahr Leben Land Wasser Buch Auto Geld Brot Ei Obst Gemüse Fleisch Salz Bier Glas Messer
Zimmer Bett Fenster Dach Bad Bild Licht Feuer Holz Gold Silber Papier Wort Lied Spiel Ziel Ende
Problem Ergebnis Beispiel Thema Gespräch Interview Gesetz Recht Gericht Gefängnis Amt Rathaus Museum
Theater Kino Hotel Restaurant Café Dorf Meer Tal Feld Schiff Flugzeug Fahrrad Rad Tier Pferd Schwein
Schaf Huhn Auge Ohr Haar Gesicht Herz Knie Bein Kleid Hemd Geschenk Fest Konzert Programm System
Projekt Team Unternehmen Geschäft Büro Telefon Handy Internet Netz Studium Fach Wissen Gefühl Glück
Ding Stück Paar Prozent Viertel Mädchen Mitglied Publikum Volk Militär Wetter Gewitter Eis Öl
Gas""",
    "plural": """
Kinder Leute Menschen Männer Frauen Freunde Eltern Bücher Häuser Städte Länder Bilder Blumen Bäume
Tiere Hunde Katzen Vögel Autos Züge Straßen Briefe Wörter Sätze Fragen Antworten Jahre Tage Stunden
Schuhe Äpfel Eier Zimmer Fenster Türen Berge Wälder Schüler Lehrer Ärzte Spieler Gäste Nachbarn
Probleme Ideen Pläne Träume Gedanken Gründe Möglichkeiten Augen Hände Füße Haare Geschenke
Preise""",
    "adj": """
gut groß klein alt neu jung lang kurz schön schnell langsam laut leise hell warm kalt heiß kühl
nass trocken stark schwach schwer leicht einfach schwierig wichtig richtig falsch wahr klar frei
voll
leer reich arm billig krank gesund müde wach froh glücklich traurig böse lieb nett freundlich
höflich
ehrlich ruhig fleißig faul klug dumm lustig ernst berühmt bekannt fremd deutsch englisch französisch
spanisch rot blau grün gelb schwarz weiß grau braun bunt rund breit schmal eng tief flach dick dünn
fest weich hart scharf süß salzig frisch jung modern früh spät ganz halb ähnlich gleich möglich
nötig fertig offen öffentlich politisch wirtschaftlich natürlich wirklich täglich jährlich endlos
gefährlich herrlich furchtbar wunderbar seltsam merkwürdig zufrieden stolz mutig vorsichtig""",
    "adverb": """
heute morgen gestern jetzt dann immer oft manchmal nie wieder bald schon noch gern hier dort draußen
drinnen oben unten links rechts vielleicht wahrscheinlich sicher leider natürlich zusammen allein
sehr ganz ziemlich besonders langsam schnell plötzlich endlich zuerst später früher abends morgens
nachts überall nirgends trotzdem deshalb außerdem eigentlich wirklich zurück jedenfalls ungefähr""",
}
PHRASES: dict[str, str] = {
    "where": """
zu+Hause in+der+Schule in+der+Stadt im+Garten im+Haus im+Park am+Bahnhof auf+dem+Tisch vor+der+Tür
hinter+dem+Haus unter+dem+Baum neben+der+Kirche zwischen+den+Häusern über+der+Brücke am+Meer
in+den+Bergen auf+dem+Markt bei+uns im+Büro an+der+Ecke im+Zug auf+der+Straße""",
    "when": """
am+Montag am+Dienstag am+Mittwoch am+Donnerstag am+Freitag am+Samstag am+Sonntag im+Januar
im+Februar im+März im+April im+Mai im+Juni im+Juli im+August im+September im+Oktober im+November
im+Dezember am+Abend am+Morgen in+der+Nacht nächste+Woche letztes+Jahr um+acht+Uhr um+halb+zehn
vor+drei+Tagen seit+einem+Jahr nach+dem+Essen im+Winter im+Sommer jeden+Tag""",
    "number": """
zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn
siebzehn achtzehn neunzehn zwanzig einundzwanzig dreißig zweiunddreißig vierzig fünfzig sechzig
siebzig achtzig neunzig hundert zweihundert tausend""",
}

TEMPLATES: dict[str, tuple[str, ...]] = {
    "nom": (
        "der {masc}",
        "die {fem}",
        "das {neut}",
        "ein {masc}",
        "eine {fem}",
        "ein {neut}",
        "der {adj}e {masc}",
        "die {adj}e {fem}",
        "das {adj}e {neut}",
        "mein {masc}",
        "meine {fem}",
        "unser {neut}",
        "dieser {masc}",
        "diese {fem}",
        "dieses {neut}",
        "ihr {adj}er {masc}",
        "{name}",
        "er",
        "sie",
        "jemand",
        "niemand",
    ),
    "acc": (
        "den {masc}",
        "die {fem}",
        "das {neut}",
        "einen {masc}",
        "eine {fem}",
        "ein {neut}",
        "den {adj}en {masc}",
        "die {adj}e {fem}",
        "ein {adj}es {neut}",
        "meinen {masc}",
        "deine {fem}",
        "unser {neut}",
        "keinen {masc}",
        "keine {fem}",
        "die {plural}",
        "viele {plural}",
        "alle {adj}en {plural}",
        "{number} {plural}",
        "{adj}e {plural}",
    ),
    "dat": (
        "dem {masc}",
        "der {fem}",
        "dem {neut}",
        "einem {adj}en {masc}",
        "meiner {fem}",
        "einem {neut}",
        "{name}",
    ),
    "many": ("die {plural}", "wir", "sie", "meine {plural}", "viele {plural}", "{name} und {name}"),
    "prep": ("mit", "von", "bei", "nach", "aus", "zu", "neben", "hinter", "vor", "über", "unter"),
    "statement": (
        "{nom} {third} {acc}.",
        "{nom} {past} {acc}.",
        "{nom} hat {acc} {part}.",
        "{many} {inf} {acc}.",
        "{many} haben {when} {acc} {part}.",
        "{nom} ist {adj}.",
        "{nom} war {adj} und {adj}.",
        "{many} sind {adj}.",
        "{adverb} {third} {nom} {acc}.",
        "{when} {third} {nom} {acc} {where}.",
        "{nom} will {acc} {inf}.",
        "{nom} kann {acc} {inf}.",
        "Ich möchte {acc} {inf}.",
        "Ich habe {acc} {prep} {dat}.",
        "Wir müssen {adverb} {acc} {inf}.",
        "Es gibt {acc} {where}.",
        "{nom} wohnt in {place}.",
        "Wir fahren {when} nach {place}.",
        "Ich glaube, dass {nom} {acc} {third}.",
        "{nom} {third} {acc}, weil {nom} {adj} ist.",
        "Wenn {nom} {adj} ist, {inf} wir {acc}.",
        "{nom} {prep} {dat} ist {adverb} {adj}.",
    ),
    "question": (
        "{third} {nom} {acc}?",
        "Hast du {acc} {part}?",
        "Haben Sie {acc} {part}?",
        "Kannst du {acc} {inf}?",
        "Wo ist {nom}?",
        "Wann {third} {nom} {acc}?",
        "Was {third} {nom}?",
        "Warum ist {nom} so {adj}?",
        "Wer {third} {acc}?",
        "Ist {nom} {adj}?",
        "Wie {adj} ist {nom}?",
        "Möchten Sie {acc}?",
        "Sollen wir {when} {acc} {inf}?",
        "Gibt es {acc} {where}?",
    ),
    "command": (
        "Bitte {inf} Sie {acc}.",
        "Lass uns {acc} {inf}!",
        "{inf} wir {acc}!",
        "Vergiss {acc} nicht!",
        "Sei nicht so {adj}!",
        "Bitte nicht {inf}!",
    ),
    "dialogue": (
        "Guten Morgen, {name}!",
        "Guten Tag, Herr {name}.",
        "Wie geht es {dat}?",
        "Hallo {name}!",
        "Vielen Dank für {acc}.",
        "Es tut mir leid, {nom} ist {adj}.",
        "Bis {adverb}, {name}!",
        "Natürlich, {nom} ist {where}.",
        "Herzlichen Glückwunsch, {name}!",
        "Ich heiße {name}.",
        "Gern, ich {past} {acc} {when}.",
        "Das Wetter in {place} ist {adj}.",
    ),
    "numbers": (
        "Es ist {number} Uhr.",
        "Das kostet {number} Euro.",
        "{number} und {number} ist {number}.",
        "Es ist #h Uhr #m.",
        "Das kostet #n Euro.",
        "Im Jahr #y, {adverb}.",
        "{nom} ist #n Jahre alt.",
        "Seite #n, bitte.",
        "{number} {plural} {where}.",
        "Wir treffen uns um {number} Uhr {where}.",
        "Die Nummer ist {number}, {number}, {number}.",
        "Es sind {number} Grad {when}.",
    ),
    "short": (
        "Ja.",
        "Nein.",
        "Danke!",
        "Bitte.",
        "Hallo!",
        "Guten Morgen!",
        "Gute Nacht!",
        "Tschüss!",
        "{word}.",
        "{word}!",
        "{word}?",
        "{masc}.",
        "{fem}!",
        "{neut}.",
        "{adj}.",
        "{adverb}.",
        "{name}?",
        "Sehr {adj}.",
        "Der {masc}.",
        "Die {fem}.",
        "Das {neut}.",
        "{word} {word}.",
        "{number}.",
        "{adj} und {adj}.",
        "Kein {masc}.",
        "{plural}!",
        "{place}.",
    ),
    "sequence": (
        "{word} {word} {word} {word}.",
        "{word} und {word}, {word} oder {word}.",
        "Die {word} {word} {word} {word}.",
        "{word}, {word}, {word}.",
        "Der {word} {masc} {word} {word}.",
        "Ich {word} {word} mit {word} {word}.",
        "{word} {word}, aber {word} {word}.",
        "{nom} {word} {word} {prep} {word}.",
        "{word} {word} {word} {word} {word} {word}.",
        "{adverb} {word} {word} {acc}.",
        "{word} {word}: {word}, {word}.",
        "Von {word} zu {word} {word}.",
        "Wir {word} {word}, {word} und {word}.",
        "Nicht {word}, nur {word} {word}!",
        "{many} {word} {word} {word} in {place}.",
        "Was {word} {word} {word}?",
    ),
}

NOUN_ENDING = (
    r".{3,}(ung|ungen|heit|heiten|keit|keiten|schaft|schaften|tion|tionen|tät|ismus|nis|ling)$"
)
BLOCKED = set(
    """
scheiße scheiss scheiß fick ficken fickt gefickt arsch arschloch hure huren nutte fotze schlampe
wichser schwanz sex sexuell sexuelle sexuellen porno pornos nackt nazi nazis hitler vergewaltigung
mord mörder ermordet neger judensau titten schwul schwule selbstmord holocaust
usw bzw z.b ca dr nr str tel mio mrd km cm mm kg gmbh co ag spd cdu csu fdp afd eu usa uk ddr brd
ard zdf rtl fc sv vfb tsv bvb fcb hsv uefa fifa wm em tv dvd cd pc http https www de com org html
the of and to for you is it on that with this be are at by not or from my your all we have his
i'm it's s t d m re ll x vs mr mrs st la le el du' les et al ii iii iv vi vii viii lol omg
""".split()
)
