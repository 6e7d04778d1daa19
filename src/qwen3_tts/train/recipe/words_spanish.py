"""Spanish for the text recipe: word lists by slot, and sentence templates."""

# infinitive, third person, third person plural, past, participle
STRONG = """
ver ve ven vio visto|hacer hace hacen hizo hecho|decir dice dicen dijo dicho
tener tiene tienen tuvo tenido
poner pone ponen puso puesto|traer trae traen trajo traído|querer quiere quieren quiso querido
saber sabe saben supo sabido|dar da dan dio dado|encontrar encuentra encuentran encontró encontrado
pedir pide piden pidió pedido|perder pierde pierden perdió perdido|abrir abre abren abrió abierto
escribir escribe escriben escribió escrito|romper rompe rompen rompió roto|oír oye oyen oyó oído
leer lee leen leyó leído|cerrar cierra cierran cerró cerrado|contar cuenta cuentan contó contado
mostrar muestra muestran mostró mostrado|entender entiende entienden entendió entendido
seguir sigue siguen siguió seguido|servir sirve sirven sirvió servido
sentir siente sienten sintió sentido
recordar recuerda recuerdan recordó recordado|construir construye construyen construyó construido
conocer conoce conocen conoció conocido|pensar piensa piensan pensó pensado""".replace("\n", "|")
REGULAR = """
comprar llevar mirar buscar tomar usar llamar amar ayudar esperar estudiar preparar visitar ganar
cantar cocinar cortar dejar desear dibujar enseñar escuchar evitar explicar firmar gastar guardar
lavar limpiar mandar necesitar olvidar pagar pintar preguntar presentar quitar sacar terminar tocar
trabajar beber comer vender aprender comprender correr responder prometer temer recibir vivir
decidir permitir subir compartir cubrir discutir dividir existir sufrir añadir"""

WORDS: dict[str, str] = {
    "name": """
María José Juan Ana Luis Carmen Pedro Lucía Carlos Elena Miguel Laura Jorge Sofía Pablo Marta Diego
Rosa Andrés Isabel Fernando Teresa Manuel Julia Ricardo Patricia Javier Clara Roberto Beatriz Ramón
Inés Gabriel Alejandro Daniel Raúl Óscar Íñigo Begoña Joaquín Guillermo Hugo Mónica Verónica""",
    "place": """
Madrid Barcelona Valencia Sevilla Zaragoza Málaga Bilbao Granada Córdoba Toledo Salamanca México
Colombia Argentina Chile Perú Cuba Venezuela Ecuador Bolivia Uruguay Paraguay Guatemala Panamá
Bogotá
Lima Quito España Europa América Francia Italia Alemania Portugal Inglaterra China Japón""",
    "masc": """
hombre niño amigo hermano padre hijo abuelo tío primo vecino profesor maestro médico abogado perro
gato caballo pájaro pez toro libro papel lápiz cuaderno periódico coche tren avión barco autobús
camino puente río mar lago monte campo bosque árbol jardín parque pueblo barrio mercado hospital
banco hotel museo teatro cine restaurante colegio trabajo dinero precio regalo juego juguete partido
equipo jugador balón gol premio día mes año siglo momento tiempo verano invierno otoño cielo sol
viento fuego aire hielo pan queso vino café té huevo arroz pollo pescado azúcar zapato vestido
sombrero abrigo cuerpo brazo dedo ojo corazón pie pelo problema sistema programa idioma tema mapa
gobierno presidente rey ministro ejército pueblo grupo país mundo cambio plan sueño deseo miedo
viaje paso lugar edificio piso techo espejo reloj teléfono ordenador vaso plato cuchillo quijote""",
    "fem": """
mujer niña amiga hermana madre hija abuela tía prima vecina profesora maestra abogada gata vaca
oveja gallina abeja rosa flor planta hoja hierba montaña playa isla costa ciudad calle plaza iglesia
escuela universidad biblioteca oficina tienda farmacia estación carretera casa puerta ventana cocina
habitación cama mesa silla lámpara llave luz agua leche sopa carne fruta manzana naranja cebolla
patata cerveza botella taza cuchara comida cena ropa camisa falda chaqueta cabeza mano boca nariz
oreja pierna espalda voz palabra frase lengua carta noticia historia canción música pintura foto
película obra fiesta boda familia gente persona vida muerte salud enfermedad fuerza guerra paz ley
justicia verdad mentira idea pregunta respuesta duda razón memoria noche mañana tarde semana hora
lluvia nieve nube tormenta estrella luna tierra empresa fábrica máquina moneda cuenta deuda
guitarra""",
    "adj": """
bueno malo nuevo viejo pequeño alto bajo largo corto ancho estrecho rápido lento bonito feo rico
caro
barato limpio sucio lleno vacío frío cálido seco mojado blanco negro rojo amarillo claro oscuro
hermoso simpático antipático tranquilo nervioso contento cansado enfermo sano muerto vivo loco tonto
listo sincero serio divertido aburrido famoso antiguo moderno famoso extraño raro raro único último
primero segundo tercero público privado político económico histórico humano español mexicano chino
americano europeo italiano dulce""".replace("dulce", "").replace("español", ""),
    "adj2": """
grande fuerte débil fácil difícil feliz triste pobre joven verde azul gris libre posible imposible
importante interesante inteligente amable agradable dulce suave caliente grave leve social nacional
internacional general especial normal igual diferente natural real legal actual inglés total
breve""",
    "adverb": """
hoy mañana ayer ahora luego siempre nunca tarde temprano pronto ya todavía aquí allí cerca lejos
dentro fuera arriba abajo bien mal muy mucho poco demasiado quizás también tampoco despacio
rápidamente
lentamente fácilmente normalmente finalmente realmente juntos solamente apenas casi entonces
después""",
}
PHRASES: dict[str, str] = {
    "where": """
en+casa en+la+calle en+el+parque en+la+ciudad en+el+campo en+la+mesa cerca+del+río
delante+de+la+casa
detrás+del+árbol debajo+de+la+cama al+lado+del+banco entre+las+montañas sobre+el+puente en+la+playa
por+el+camino hasta+la+plaza en+el+tren desde+la+ventana hacia+el+norte en+la+escuela""",
    "when": """
el+lunes el+martes el+miércoles el+jueves el+viernes el+sábado el+domingo en+enero en+febrero
en+marzo en+abril en+mayo en+junio en+julio en+agosto en+septiembre en+octubre en+noviembre
en+diciembre por+la+mañana por+la+tarde esta+noche la+semana+pasada el+año+que+viene
a+las+ocho a+las+nueve+y+media hace+tres+días desde+hace+un+año después+de+comer""",
    "number": """
dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete
dieciocho diecinueve veinte veintiuno treinta cuarenta cincuenta sesenta setenta ochenta noventa
cien
doscientos quinientos mil""",
}

TEMPLATES: dict[str, tuple[str, ...]] = {
    "thing": (
        "el {masc}",
        "la {fem}",
        "un {masc}",
        "una {fem}",
        "el {masc} {adj}",
        "mi {masc}",
        "la {fem} {adj2}",
        "un {masc} {adj2}",
        "tu {fem}",
        "su {masc} {adj}",
        "este {masc}",
        "esta {fem}",
        "aquella {fem} {adj2}",
        "nuestro {masc}",
        "nuestra {fem}",
        "ningún {masc}",
        "cada {masc}",
        "toda la {fem}",
        "el {masc} de {name}",
        "la {fem} del {masc}",
        "el {masc} y la {fem}",
    ),
    "who": (
        "{name}",
        "mi {masc}",
        "la {fem}",
        "el {masc} {adj}",
        "ella",
        "él",
        "usted",
        "alguien",
        "nadie",
        "el {masc}",
        "esta {fem}",
    ),
    "many": ("ellos", "ellas", "{name} y {name}", "mis padres", "los amigos", "las niñas"),
    "prep": ("con", "sin", "de", "para", "por", "en", "desde", "hasta", "sobre", "entre", "contra"),
    "statement": (
        "{who} {third} {thing}.",
        "{who} {past} {thing}.",
        "{many} {thirds} {thing}.",
        "{who} ha {part} {thing}.",
        "{who} no {third} {thing} {where}.",
        "El {masc} es muy {adj}.",
        "La {fem} es {adj2} y {adj2}.",
        "Hay {thing} {where}.",
        "{when} {who} {third} {thing}.",
        "Quiero {inf} {thing}.",
        "Tenemos que {inf} {thing} {when}.",
        "{adverb} {many} {thirds} {thing}.",
        "{who} vive en {place}.",
        "Vamos a {place} {when}.",
        "Creo que {who} {third} {thing}.",
        "{who} {third} {thing} porque {who} {past} {thing}.",
        "Si {who} {third} {thing}, no hay {fem}.",
        "Cuando {who} {past} {thing}, el {masc} era {adj}.",
        "Me gusta {inf} {thing} {prep} {thing}.",
    ),
    "question": (
        "¿{third} {who} {thing}?",
        "¿Dónde está {thing}?",
        "¿Cuándo {third} {who} {thing}?",
        "¿Por qué {past} {who} {thing}?",
        "¿Quién {third} {thing}?",
        "¿Puedes {inf} {thing}?",
        "¿Ha {part} usted {thing}?",
        "¿Cómo es {thing}?",
        "¿Qué {third} {who}?",
        "¿Es {adj} el {masc}?",
        "¿Quieres {inf} {thing} {when}?",
        "¿Cuánto cuesta {thing}?",
    ),
    "command": (
        "Por favor, {inf} {thing}.",
        "¡Vamos a {inf} {thing}!",
        "¡No hay que {inf} {thing}!",
        "¡Qué {masc} tan {adj}!",
        "¡Qué {fem} tan {adj2}!",
        "Hay que {inf} {thing} {adverb}.",
    ),
    "dialogue": (
        "Buenos días, {name}.",
        "Hola {name}, ¿cómo estás?",
        "Muchas gracias por {thing}.",
        "Lo siento, {who} no {third} {thing}.",
        "Hasta {adverb}, {name}.",
        "Me llamo {name}.",
        "Claro, {thing} está {where}.",
        "¡Feliz cumpleaños, {name}!",
        "¿Quiere {thing} o {thing}?",
        "En {place} hace {adverb} frío.",
        "Encantado de conocerle, {name}.",
    ),
    "numbers": (
        "Son las {number}.",
        "Cuesta {number} euros.",
        "{number} y {number} son {number}.",
        "Son las #h y #m.",
        "Cuesta #n euros.",
        "En #y, {who} {past} {thing}.",
        "{who} tiene #n años.",
        "La página #n, por favor.",
        "A las {number} {who} {third} {thing}.",
        "Hace {number} grados.",
        "El número es {number}, {number}, {number}.",
    ),
    "short": (
        "Sí.",
        "No.",
        "¡Gracias!",
        "Por favor.",
        "¡Hola!",
        "Buenos días.",
        "Buenas noches.",
        "Adiós.",
        "{word}.",
        "¡{word}!",
        "¿{word}?",
        "El {masc}.",
        "La {fem}.",
        "Muy {adj}.",
        "{adverb}.",
        "¿{name}?",
        "{place}.",
        "{number}.",
        "{word} {word}.",
        "{masc} {adj}.",
        "{fem} {adj2}.",
    ),
    "sequence": (
        "{word} {word} {word} {word}.",
        "{word} y {word}, {word} o {word}.",
        "{word}, {word}, {word}.",
        "El {masc} {word} {word} {word}.",
        "La {fem} {word} {prep} {word} {word}.",
        "{word} {word}, pero {word} {word}.",
        "{who} {word} {word} {prep} {word}.",
        "{word} {word} {word} {word} {word} {word}.",
        "De {word} a {word}, {word} {word}.",
        "No {word}, sino {word} {word}.",
        "¿Qué {word} {word} {word}?",
        "{word} {word}: {word}, {word}.",
        "¡Más {word}, menos {word}!",
        "{many} {word} {word} {word} en {place}.",
    ),
}

BLOCKED = set(
    """
mierda puta putas puto putos coño joder jodido follar polla verga pendejo pendejos cabrón cabrones
culo teta tetas sexo sexual sexuales porno desnuda desnudo violación violador nazi nazis hitler
maricón gilipollas zorra suicidio asesino asesinato asesinatos asesinado asesinada
sr sra dr dra etc pp psoe vs fc tv dvd cd pc usb http https www com org html eeuu ee uu usa km cm mm
kg uk ii iii iv vi vii viii ix xi xii xx xix xvi xvii xviii xxi lol omg jaja jajaja jajajaja
jajajajaja
the of and to for you is it on that with this be are at by not or from my your all we have his
q d x k t st mr i'm it's of in xq pq tb vía l s m n c b f g h j p r v w z art pdf av
""".split()
)
