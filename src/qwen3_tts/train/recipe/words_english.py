"""English for the text recipe: word lists and sentence templates.

`WORDS` are lists of words by how a template may use them; verbs and nouns are inflected by rule in
`forms_english.py`. `TEMPLATES` are sentence parts with `{slots}`, each the name of a list or of
another part.
"""

IRREGULAR = """
upset upset upset|undergo underwent undergone|undertake undertook undertaken
overcome overcame overcome|cast cast cast
spin spun spun|sweep swept swept|weep wept wept|shrink shrank shrunk|swell swelled swollen
bleed bled bled
mistake mistook mistaken|mislead misled misled|withdraw withdrew withdrawn
withstand withstood withstood
overlook overlooked overlooked|overtake overtook overtaken|uphold upheld upheld
rebuild rebuilt rebuilt
weave wove woven|grind ground ground|slide slid slid|burst burst burst|breed bred bred
shed shed shed
bet bet bet|bear bore born|rid rid rid|light lit lit|found founded founded|dive dived dived
wet wet wet
melt melted melted|welcome welcomed welcomed|leap leaped leaped|wind wound wound|sew sewed sewn
spell spelled spelled|tie tied tied|forecast forecast forecast|proceed proceeded proceeded
go went gone|do did done|see saw seen|take took taken|give gave given|make made made
find found found
get got got|buy bought bought|bring brought brought|think thought thought|catch caught caught
teach taught taught|know knew known|grow grew grown|throw threw thrown|draw drew drawn|eat ate eaten
drink drank drunk|sing sang sung|ring rang rung|begin began begun|swim swam swum|run ran run
come came come|become became become|write wrote written|ride rode ridden|drive drove driven
rise rose risen|choose chose chosen|break broke broken|speak spoke spoken|steal stole stolen
wake woke woken|freeze froze frozen|forget forgot forgotten|hide hid hidden|fall fell fallen
tell told told|sell sold sold|hold held held|keep kept kept|sleep slept slept|leave left left
feel felt felt|meet met met|send sent sent|spend spent spent|build built built|lose lost lost
win won won|sit sat sat|stand stood stood|understand understood understood|hear heard heard
say said said|pay paid paid|lead led led|read read read|feed fed fed|cut cut cut|put put put
set set set|let let let|hit hit hit|shut shut shut|cost cost cost|hurt hurt hurt|quit quit quit
fly flew flown|wear wore worn|tear tore torn|fight fought fought|shoot shot shot|hang hung hung
lie lay lain|lay laid laid|show showed shown|shake shook shaken|bite bit bitten|blow blew blown
dig dug dug|stick stuck stuck|strike struck struck|spread spread spread|split split split
have had had|mean meant meant|lend lent lent|seek sought sought|shine shone shone|bend bent bent
forgive forgave forgiven|sink sank sunk|swear swore sworn|beat beat beaten|deal dealt dealt
""".replace("\n", "|")

PLURALS = """
man men|woman women|child children|person people|foot feet|tooth teeth|mouse mice|fish fish
sheep sheep|wife wives|knife knives|leaf leaves|shelf shelves|half halves|wolf wolves
loaf loaves|goose geese|thief thieves|life lives|photo photos|piano pianos|radio radios
video videos|studio studios|series series|species species|crisis crises|roof roofs|chief chiefs
""".replace("\n", "|")

# verbs whose last consonant doubles although they have two syllables
DOUBLING = set(
    "admit begin commit compel control forget format kidnap occur patrol permit prefer refer "
    "program regret "
    "submit transmit upset".split()
)

# words with a part of their own in a sentence: never drawn as a noun, verb or adjective
FUNCTION = set(
    """
a an the this that these those i you he she it we they me him her us them my your his its our their
mine yours hers ours theirs myself yourself himself herself itself ourselves themselves who whom
whose which what when where why how and or but nor so yet if because although though while whereas
until unless since as than of in on at by for with about against between into through during before
after above below to from up down out off over under again then once here there all any both each
few more most other some such no not only own same too very can will just should could would may
might must shall ought do does did done doing have has had having be am is are was were been being
also even ever never always often upon within without toward towards throughout despite among
amongst beneath beside besides beyond except per plus via versus whether either neither anyone
anybody anything everyone everybody everything someone somebody something nobody nothing none oh
yes yeah yep nope ok okay hi hey hello wow please ah eh goodbye bye thy thou thee ye unto onto
""".split()
)

WORDS: dict[str, str] = {
    "name": """
John Mary David Michael James Robert William Richard Thomas Charles Daniel Paul Mark George Steven
Kevin Brian Edward Peter Anna Emma Sarah Laura Lisa Karen Susan Helen Julia Alice Jane Kate Lucy
Olivia Sophie Grace Emily Chloe Ella Lily Rose Ruth Diana Maria Nina Clara Eva Martha Frank Henry
Jack Harry Oliver Charlie Oscar Leo Max Sam Ben Adam Luke Simon Martin Alan Eric Jason Ryan Scott
Tony Tom Tim Joe Jim Bob Bill Mike Dave Steve Chris Matt Nick Alex Anthony Andrew Joseph Patrick
Philip Victor Walter Arthur Albert Louis Roger Dennis Jerry Larry Jesse Carl Ray Roy Howard Douglas
Jennifer Jessica Michelle Amy Angela Rachel Rebecca Nancy Linda Barbara Elizabeth Margaret
Victoria Charlotte Amanda Nicole Kelly Sandra Donna Carol Hannah Holly Molly Zoe Noah Ethan Logan
Mason Jacob Lucas Nathan Samuel Justin Aaron Kyle Sean Ian Graham Stuart Neil Gary Keith Craig
Tyler Austin Taylor Jordan Morgan Cameron Claire Heather Vanessa Monica Teresa Christine Julie
Jenny Annie Lewis Francis Vincent Gordon Bruce Wayne Ralph Stanley Leonard Jonathan Benjamin
Christopher Matthew Nicholas Alexander Stephen Kim Lee Danny Johnny Billy Bobby Jimmy Tommy Eddie
Andy Terry Barry Kenny Kenneth Gerald Dylan Connor Evan Blake Hugh Harold Alfred Ashley Katie
Melissa Stephanie Samantha Natalie Hillary Ann Anne Sara Marie Joan Joyce Betty Dorothy Evelyn
Donald Jeff Josh Rick Robin Jay Mario Jake Jamie Jeremy Greg Marcus Pete Todd Stan Sandy Ellen Owen
Allen Ali Jean Jon Phil Josie Juan Jose Antonio Norman Jack Mo Warren Dean Duke Marc Bernard Duncan
Doug Brandon Caroline Derek Malcolm Travis Clark Julian Luis Karl Louise Bernie Bryan Lauren Raymond
Jackie Joel Janet Glenn Frederick Adrian Shane Pierre Isaac Liam Joey Joshua Gabriel Leon Sharon
Randy Ricky Ronald Mitch Jeffrey Leslie Riley Sebastian Winston Andrea Willie Homer Teddy Beth Glen
Gregory Mia Brett Ivan Lynn Manuel Marco Trevor Andre Herbert Kirk Miranda Felix Floyd Katherine Ivy
Wendy Diane Christina Dana Alexandra Abraham Moses Muhammad Boris Maya Violet Debbie Penny""",
    "surname": """
Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Jackson White Harris Martin
Thompson Moore Taylor Clark Lewis Walker Hall Young King Wright Hill Green Baker Adams Nelson
Carter Mitchell Roberts Turner Phillips Campbell Parker Evans Edwards Collins Stewart Morris Cook
Rogers Reed Bailey Cooper Richardson Cox Ward Peterson Gray Watson Brooks Kelly Bennett Wood Barnes
Ross Henderson Coleman Jenkins Perry Powell Long Patterson Hughes Butler Foster Bryant Russell
Griffin Hayes Hamilton Fisher Murphy Graham Sullivan Wallace Ford Gibson Ellis Stevens Murray
Marshall Palmer Mills Nichols Grant Knight Black Stone Hunt Fox Robinson Simpson Newton Burns
Shaw Webb Lawrence Hart Porter Kennedy Lincoln Obama Trump Clinton Bush Churchill Shakespeare
Franklin Harvey Cole Harrison Armstrong Roosevelt Reagan Ferguson Robertson Crawford Lloyd Sanders
Arnold Bradley Holmes Burke Monroe Morrison Newman Freeman Sherman Boyd Walsh Kerry Drake Dale Reid
Hudson Carson Hopkins Marshall Norton Potter Watts Flynn Chapman Fletcher Sawyer Mason Porter""",
    "place": """
London Paris Berlin Rome Madrid Boston Chicago Dublin Sydney Tokyo Moscow Vienna Amsterdam Oxford
Cambridge Manchester Liverpool Birmingham Bristol Leeds Glasgow Edinburgh Seattle Dallas Houston
Denver Atlanta Miami Detroit Philadelphia Toronto Montreal Vancouver Melbourne Texas California
Florida Virginia Ohio Michigan Georgia Oregon Washington Hollywood Brooklyn Manhattan Canada Mexico
England Scotland Wales Ireland France Germany Spain Italy Greece Poland Sweden Norway Denmark
Finland Russia China Japan India Korea Australia Brazil Argentina Chile Egypt Kenya Africa Asia
Europe America Britain Israel Turkey Iran Iraq Syria Pakistan Ukraine Portugal Switzerland Austria
Belgium Holland Hungary Cuba Colombia Peru Indonesia Malaysia Singapore Thailand Vietnam
Nigeria Jamaica Hawaii Alaska Arizona Nevada Colorado Kansas Minnesota Wisconsin Pennsylvania
Massachusetts Maryland Tennessee Kentucky Louisiana Alabama Indiana Illinois Missouri Oklahoma Utah
Jerusalem Athens Prague Brussels Barcelona Milan Venice Munich Hamburg Delhi Beijing Shanghai
Bangkok Cairo Toronto Ottawa Cleveland Pittsburgh Baltimore Phoenix Orlando Memphis Nashville
Afghanistan Alberta Amazon Arkansas Bangladesh Barbados Belfast Brighton Brisbane Bulgaria Cardiff
Cincinnati Columbus Connecticut Dakota Delaware Derby Dubai Essex Geneva Ghana Guinea Hampshire
Hampton Idaho Iowa Java Kent Lebanon Lisbon Louisville Madison Maine Manila Milwaukee Minneapolis
Mississippi Montana Mumbai Nebraska Nepal Newcastle Norfolk Oakland Ontario Palestine Panama Perth
Plymouth Portland Princeton Quebec Queensland Richmond Sacramento Seoul Sheffield Stanford Sudan
Tampa Taiwan Vermont Venezuela Yemen Yorkshire Zurich Cologne Dresden Budapest Bucharest Stockholm
Helsinki Oslo Copenhagen Warsaw Istanbul Harvard Yale Chelsea Berkeley Jamaica Iceland Adelaide""",
    "nation": """
American British English French German Italian Spanish Russian Chinese Japanese Indian Canadian
Australian Irish Scottish Welsh Dutch Greek Roman Mexican African Asian European Swedish Turkish
Polish Korean Jewish Christian Catholic Muslim Islamic Arab Israeli Iranian Latin Soviet Western
Brazilian Portuguese Swiss Norwegian Danish Egyptian Victorian
Afghan Belgian Czech Dutch Hispanic Hungarian Indonesian Iraqi Malaysian Nigerian Pakistani
Palestinian Persian Syrian Thai Ukrainian Vietnamese Hebrew Arabic Arctic Caribbean Celtic Olympic
Mediterranean Hindu Buddhist Protestant Pacific Atlantic Republican Democratic Austrian
Colombian""",
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "month": """January February March April May June July August September October November
December""",
    "noun": """
time year day way man woman child world life hand part place case week company system program
question number night point home room mother area story fact month lot book eye job word business
side kind head house friend father power hour game line member law car city name team minute idea
body back parent face level office door person art history party result change morning reason girl
guy moment air teacher force foot boy age policy music market sense nation plan college interest
death experience effect use class control field development role effort rate heart drug show leader
light voice wife police mind price report decision son view relationship town road arm difference
value building action season model position space form event official matter center couple site
project activity star table court oil situation cost industry figure street image phone picture
practice piece land product doctor wall patient worker news test movie north love support
technology step baby computer type film tree source organization hair window culture chance brother
energy period course summer plant opportunity term letter condition choice rule daughter south
husband floor campaign material population call economy hospital church risk fire future bank
sound security food stage group problem country school state family student government
animal answer apartment apple army article artist aunt bag ball band bar bath battery
beach bean bear bed bedroom beer bell bike bill bird birthday blood board boat bone boss bottle
bottom bowl box brain branch bread breakfast bridge bus butter button cake camera camp candle cap
captain card career castle cat cell chain chair chapter character cheese chest chicken chief
chocolate cigarette circle client clock cloud club coach coast coat code coffee coin collection
color comment committee community concert conference contract conversation cook copy corner corn
cotton council county cousin cow cream credit crew crime crowd crown cup customer cycle dance danger
date deal debt degree department desert desk dinner dish dog dollar dream dress drink driver
duty ear earth east edge egg election engine engineer error evening example exercise expert
factory farm farmer fashion father favor feature fence finger fish flag flight flower folk football
forest fork friend frog fruit fuel fun game garden gate gift glass glove goal gold grass guard guest
guide gun hall hat hero hill hole holiday hope horse hotel husband ice industry injury insect
island jacket joke journey judge juice key king kitchen knee knife knowledge lady lake lamp language
lawyer leaf leg lesson library list lunch machine magazine manager map mark master meal meat
medicine memory message metal milk mirror mistake model money monkey moon mountain mouse mouth
museum nature neck needle neighbor nest network newspaper noise nose note novel nurse object
ocean offer onion opinion orange order owner page pain painting pair palace paper park partner path
peace pencil people pepper piano pilot pipe planet plate player pocket poem poet pool post potato
present president price priest prince princess prison prize professor profit promise queen rabbit
race radio rain record region restaurant rice ring river rock roof rope rose sail salad salary salt
sand scene scientist sea seat secret secretary service shadow shape sheep shelf ship shirt shoe shop
shoulder sign silver singer sister skill skin sky smile smoke snake snow soap soldier song soup
spoon sport spring square stamp station stone store storm stranger stream sugar suit sun surface
surprise sweater task taxi tea tear telephone television theater theory thing thought ticket tiger
title tool tooth top tour tower toy track trade train trip truck truth tune uncle uniform
university valley vegetable video village visitor voice wall war watch water wave weather wedding
west wheel wind wine wing winter wood writer yard youth zoo account act address advance
advantage adventure advice agency agent agreement aircraft airport album alcohol amount analysis
anger application approach argument aspect assistant attack attempt attention attitude audience
author authority average award background balance base basis battle beauty beginning behavior
belief benefit bit block border breath budget cancer capital category cause century
challenge championship channel chemical childhood citizen claim cloth coal comfort
command commission competition complaint concept concern connection construction
contact content contest context contribution crisis criticism cross damage data
database deadline debate decade defense delivery demand description design desire detail
device diet direction director discovery discussion disease display distance distribution
district division document drama economics edition editor education element
emergency emotion empire employee employer employment ending enemy engineering entry environment
equipment escape estate evidence exam exchange existence expansion expense
explanation expression extent facility factor failure faith fault fear
festival file finance flow focus foundation frame freedom function fund generation
grade growth guitar habit handle health heat height highway homework honey
hunger identity impact importance impression improvement income
independence individual influence information instance institution
instruction insurance intention internet interview introduction investigation investment
invitation issue item jail joy judgment justice kid labor lack layer leadership
league length limit link literature loan location loss luck magic mail
maintenance majority management manner manufacturer marketing marriage match math
maximum meaning measure media medium meeting membership mess method mile minister minority
mission mixture mode mood motion motor movement muscle mystery
nerve noon notice nothing operation option origin outcome package panel
partnership passage passenger passion past pattern pause payment
percentage perception performance permission personality perspective
philosophy phrase physics plane plastic platform pleasure plenty policeman politics
pollution possession possibility pound poverty preference preparation
presence presentation pressure priority procedure process producer
profession profile progress property proposal protection purpose
quality quantity quarter range ratio reaction reader reading reality reception
recipe recognition recommendation reflection refrigerator relation
religion replacement representative republic request requirement research reserve resident
resource respect response responsibility revenue review revolution reward
rhythm road routine safety sale sample satisfaction scale schedule scheme science
score screen script search section sector selection sentence session setting shame share
shock shot sickness signal significance silence singing site size society software
soil solution sort soul speaker speech speed spirit spot staff standard
statement statistics status stock strategy strength stress structure struggle studio study
stuff style subject success suggestion survey sympathy talent target tax teaching technique
temperature
tennis tension text thanks threat throat tip tissue tongue topic total
touch tourist tradition traffic training transition transport travel treat treatment trial
trouble trust understanding union unit user variation
variety vehicle version victim victory violence virus vision visit volume vote
wealth weapon website weekend weight width winner wish witness wonder
zone accident actor ankle belt bishop blanket blood bomb brand
brick bucket bullet bunch cabin cable carpet carrot champion cherry
civilian cliff clinic closet column comedy
corridor counter cowboy crash criminal curtain dad daddy
deer designer detective diamond dragon drawer eagle elbow elephant elevator
engineer episode expert explosion fabric fan fellow
fever fiction flame flash flavor flesh flood folder founder
fox gallery gang garage gas gentleman ghost giant
grain grandfather grandmother guitar hammer heaven hell helmet
hip honor hook housing hurricane illness immigrant inch infant inspector
iron jet jury kiss ladder landscape laptop laundry
lemon lion lip liver logo lover lung magnet mailbox maker mask mate
mayor merchant microphone miner missile mommy mom monster
motorcycle mud museum mushroom musician nail navy necklace net
oven paint pan parking passport pasta pastor peach peanut pen penny
pet photo pie pig pillow pine pirate pizza
plot poetry pole politician porch port portrait pot
powder prayer pumpkin puppy purse puzzle rail rainbow
rat razor recording refugee rival robot rod root rug
sandwich satellite sauce sausage senator sergeant server shark
shell sheriff shore shower sidewalk silk sink skirt
sleeve slide slope soccer sock sofa spider stadium stair
steak steel stem stomach stove straw string studio
submarine suitcase summit sunset supermarket surgeon surgery sweat swimming sword symbol
tail tale tank tape teaspoon teen telescope temple tent
thread thumb thunder tide tie tile toast tobacco toe toilet tomato
tourism trail trash treasure treaty tribe trophy truck trunk
tunnel twin umbrella vacation van veteran village
violin wagon waist waiter warehouse warrior waste whale wheat whistle
widow wire wolf wool workshop worm wound wrist zebra
ability absence abuse academy accent access accountant accusation acid acre actress addition
administration admiral admission adoption adult advertisement advisor affair affection afternoon
agenda agriculture aid airline airplane alarm alert algorithm alien alliance allowance ally
alteration ambassador ambition ambulance amendment ancestor anchor angel angle anniversary
announcement anthem anxiety apology appearance appetite applause appliance applicant appointment
appreciation approval arc arch architect architecture archive arena arrangement arrest arrival arrow
ash assembly asset assignment association assumption asteroid asylum athlete atmosphere atom
attachment attorney attraction auction audit autumn avenue awareness axe bachelor backyard bacon
bacteria badge bait bakery balcony ballet balloon ballot banana bandage bargain bark barn baron
barrel barrier baseball basement basin basket basketball bass batch bay beacon beam beard beast
bedroom bee beef behaviour bench berry bias bicycle bid bin biography biology birth biscuit blade
blast blaze blend blog bloom blossom blouse bonus booking boom boost booth boundary bouquet bow
boyfriend bracelet bracket brake brass breach breakdown breakthrough breast breeze bride broadcast
bronze broom browser brush bubble buddy bug builder bull bump bundle burden bureau burger bush
businessman butterfly buyer cabbage cabinet cactus cafe cage calculator calendar calf campus canal
canvas canyon carbon cargo carnival carpenter carriage carrier cart cartoon carving cash casino
cathedral cattle cave ceiling celebration celebrity cement cemetery census ceremony certificate
champagne chancellor chaos chapel charge charity charm chart chat check cheek chef chemist chemistry
chess chip choir chord chorus cinema circuit circus clarity clash classroom clause clay clerk click
climate clip closet clothes clown clue cocktail coconut colony colour columnist comet companion
comparison compass compassion compliment component composer compound compromise
concentration conclusion condition conductor confession confidence conflict confusion
congress conscience consequence consumer container continent contractor contrast contrary
contributor convention cookie copper corporation correspondent costume
cottage couch counsel countryside coupon courage courtesy craft crane creation creator creature
creek cricket crop cruise crystal cube cucumber cure curiosity currency current curriculum curry
curse curve cushion custody custom dairy dam dare darkness darling dash dawn daylight deaf deck
decline decoration decrease deed defendant deficit definition delay delight democracy dentist
departure deposit depression depth deputy descent despair destination destiny destruction
developer diagnosis dialogue diary dictionary diesel difficulty dignity dinosaur diploma dirt
disability disaster discipline discount dispute dock doll dolphin dome domain donation donkey
dose dot dough downtown dozen draft drain drift drill drought duck duke dust duty dwarf dynasty
eagerness earl earthquake ease echo economist economy ego elder elite embassy embrace emperor
emphasis encounter encouragement endeavour enterprise enthusiasm entrance entrepreneur envelope envy
equality equation era essay essence estimate ethics euro evaluation evolution exception excitement
exclusion excuse executive exhibition exit expedition expectation explorer export exposure extension
extract eyebrow facade fairy fame fare fate fatigue fee feast feather feedback ferry fiber fighter
filter fireplace firework fisherman fist flavour fleet flesh flour flu fluid foam fog footage
forecast forehead format formula fort fortune forum fossil fountain fraction fragment framework
franchise fraud freezer freight frequency fridge friendship frog frontier frost fuel funeral fur
furniture galaxy gallon gap garbage garlic gasp gathering gauge gear gem gene genius genre geography
geometry gesture girlfriend glance globe glory glow glue goat goodbye gossip governor gown grace
grammar grandma grandson granite grape graph gratitude grave gravity greeting grid grief grill grip
grocery guarantee guidance guideline guilt gulf gum gut guy gym hallway halt handful
harbour hardware harm harmony harvest hazard headache headline headquarters heir
helicopter herb heritage hierarchy highlight hint historian hobby hockey homeland horizon hormone
horn horror hostage household humidity humor hunter hut hybrid hydrogen hypothesis icon ideology
idiot idol illusion imagination incident inclusion incentive indicator infection infrastructure
ingredient inhabitant initiative injection ink inn innovation input inquiry insight inspection
inspiration installation instinct integrity intellect intelligence intensity interaction interior
interval intervention invasion invention inventory irony ivory jam jar jaw jazz jeans jelly jewel
journalist jungle junk kettle keyboard kidney kingdom kit kitten lab laboratory lad lamb landlord
landmark lane laser laughter launch lawn lawsuit lecture legacy legend legislation leisure
lens letterbox liability liberty licence license lid lieutenant lifestyle lifetime lime line lineup
listener livestock lizard lobby locker log logic loop lottery lounge lunchtime luxury
machinery makeup mall mammal mansion manual manuscript maple marathon marble margin marker marsh
mat mathematics matrix mattress meadow mechanic medal mentor menu mercy merit microscope midnight
militia mill mineral mint minus miracle missionary mist mixer mobility moisture molecule monastery
monk monopoly monument mortgage mosquito moss moth mummy murmur myth nap napkin nationality
neighborhood neighbour nephew nickname niece nightmare norm nut oak oath
obligation observation observer obsession obstacle occasion occupation odor offence offspring
olive opera opponent optimism oral orbit orchestra organ organism orientation ornament orphan outlet
outline outlook output outrage outsider oval overview owl ownership oxygen pace
packet paradise paragraph parade parcel parish parliament parrot participant
password paste patch patent patience patrol paw pea peak pearl pedestrian peer penalty peninsula
pension percent performer perfume petition petrol pharmacy phenomenon photograph photographer
photography physician pickup picnic pier pigeon pile pill pin pinch pint pioneer pistol pit pitch
plague plaza plea pledge plug pocket poison poker polish poll pond pony pope popularity
portfolio portion posture poster pottery pouch precision prediction pregnancy premise premium
prescription preview prey printer privacy privilege probability probe
processor programmer prospect prosecutor protein protest protocol province pub publicity
publication publisher pudding pulse pump punch punishment pupil pursuit pyramid python quest queue
quote racket radar radiation rage raid railway ramp ranch rank rating ray rebel rebellion
receipt receiver recession recruit referee referendum reform refuge regime registration regret
regulation reign rehearsal relationship relative relief reminder reptile reputation
residence resignation resistance resolution resort retreat retirement reunion
revenge rhyme ribbon riddle ridge rifle rim riot ritual roast robbery rocket rookie
roommate root route row royalty rubber rugby ruin ruler rumor runner runway sack sacrifice saddle
saint sake salmon salon sanction sanctuary sandal satire saucer scandal scar scare scarf scenario
scholar scholarship scissors scoop scope scout scratch screw script scroll sculpture
seafood seal seaside seed segment sensation sensor sentiment sequel sequence sergeant sermon
servant setup shade shaft sheet shepherd shield shift shipment shortage
shortcut shot shrimp shrine sibling siege sigh sight signature silk simplicity sketch ski skull
slave slavery sleep slice slogan slot smartphone snack soda sofa solidarity sophistication
soprano sorrow soundtrack souvenir sovereignty spa span spark specialist specimen spectrum
spell sphere spice spine spokesman sponge sponsor spouse spray sprint spy squad squirrel stability
stack stake stamina stance starvation statue steam steward stereo stitch stocking
stool storage storyteller strain strand strap strategist stripe stroke stroll struggle stunt
substance substitute suburb subway successor suffering suite sum summary sunlight sunrise sunshine
supervisor supplement supplier surf surplus survivor suspect suspicion swan swamp sweep
sword syllable symptom syndrome synthesis syrup tablet tactic tap tattoo technician teenager
temper tempo temptation tenant tendency tent territory terror testimony texture theft therapist
therapy thesis thirst thread threshold thrill throne thumb tissue tobacco token
tomb ton tone torch tornado tornado tortoise tournament towel toxin trait transaction
transcript transmission transparency trap tray treasurer trek trend triangle tribunal
tribute trick trigger trilogy triumph troop trousers tub tube tuition tumor turkey turtle tutor
twist
tyre uncertainty underground undertaking universe upgrade urgency usage utility vaccine
vacuum validity vampire vase vault vein velvet vendor venture venue verdict verse vessel veto vibe
villa villain vinegar violation virtue vitamin vocabulary volcano volleyball volunteer voltage
voter voyage vulture wage wallet walnut wander wardrobe warmth warning warranty wasp weakness
weaver wetland wheelchair whip whisper wildlife willow windmill wisdom wit witch withdrawal wizard
workforce workout workplace worship wrap wreck wrinkle yacht yarn yield yoga zip zombie
thought darkness kindness happiness weakness illness business fitness
madness loneliness awareness sweetness""",
    "mass": """
water coffee tea milk bread sugar salt butter rice soup wine beer juice money music food paper
wood gold silver glass snow rain ice sand grass meat cheese fruit cream honey oil gas fire smoke
help time work news advice information traffic noise space luck fun homework furniture soap cotton
weather research evidence knowledge equipment software trouble energy power peace freedom justice
love hope fear pain courage silence darkness sunshine poetry history science art English French""",
    "adj": """
good new first last long great little own other old right big high different small large next
early young important few public bad same able best better sure clear free full special
easy strong open whole whole real short hard hot cold warm cool nice fine happy sad angry
dark bright deep wide narrow thin thick heavy light fast slow quick quiet loud clean dirty dry wet
soft sweet sour bitter fresh sharp flat round square straight tall low rich poor cheap expensive
beautiful pretty ugly strange funny serious simple difficult dangerous safe famous busy tired
hungry thirsty sick healthy dead alive brave proud kind lovely wonderful terrible horrible awful
perfect excellent amazing careful clever smart stupid wise crazy lazy polite rude honest friendly
gentle calm nervous lonely lucky empty broken lost true false wrong possible impossible
necessary useful main major minor common rare usual unusual normal typical
modern ancient recent current final single double local national international foreign private
personal social political economic financial legal medical natural physical mental human military
religious cultural industrial agricultural chemical nuclear electric digital
red blue green yellow black white brown gray pink purple orange golden silver
wooden plastic royal wild tiny huge giant enormous massive average equal fair similar
popular powerful weak mild strict complete total entire central northern southern
eastern western inner outer upper lower middle front extra spare available
ready present absent professional official formal casual traditional classic
original creative positive negative active passive aware familiar
successful effective efficient responsible reasonable suitable specific particular general
certain various several additional alternative annual daily weekly
monthly basic brief broad capable comfortable competitive complex concerned
confident considerable conservative consistent constant content convenient correct critical
crucial curious dear delicious democratic dependent desperate direct
distant dramatic due dull eager elderly electronic emotional environmental
essential evil exact excited exciting exotic external extreme favorite federal female male
flexible fortunate frequent funny generous genuine global grand grateful
guilty handsome harsh helpful hidden hollow ideal illegal immediate impressive incredible
independent initial innocent intelligent internal joint junior senior keen
key later latest leading liberal likely literary logical loose mad
married mass maximum minimum mobile moral musical mutual naked nasty native
neat negative noisy nearby obvious odd okay ongoing opposite ordinary
painful pale permanent plain pleasant poor potential practical precious
pregnant previous primary principal proper pure random rapid raw regional regular related
relative relevant remarkable remote responsible romantic rough rural sacred scared
scientific secret secure sensitive separate severe sexual shallow shy significant silent
silly skinny slight smooth solid sophisticated sorry spiritual steady
steep sticky still stiff strategic substantial sudden sufficient super
superb surprised surprising suspicious technical temporary tender tense
tight tough tropical twin unable unfair unhappy unique unknown urban urgent
vague valid valuable vast violent virtual visible visual vital
vulnerable wealthy weird well willing worried worse worst
worth worthy written younger older bigger smaller larger higher greater stronger
abandoned able-bodied absolute abstract absurd abundant academic acceptable accessible accidental
accurate acoustic actual acute adequate adjacent admirable advanced aesthetic affordable afraid
aggressive alcoholic alien alike allied amateur ambitious ample analog ancient anonymous anxious
apparent applicable appropriate arbitrary architectural artificial artistic ashamed asleep
assorted athletic atomic attractive authentic automatic autonomous awake awesome awkward bald
bankrupt bare beloved beneficial biblical bilingual biological bizarre blank bleak blind blond
bloody blunt bold bored boring bound breathless brilliant brutal burnt cautious celebrated
cellular cheerful chilly chronic circular civic civil civilian clinical clumsy coastal cognitive
coherent collective colonial colorful comic commercial compact comparable compatible competent
compulsory conceptual concrete confidential confused congressional conscious
constitutional contemporary continental continuous controversial conventional cooperative corporate
corrupt costly courageous covered creepy crisp crowded crude cruel cultivated cute cynical
damaged damp daring deadly deaf decent decisive dedicated default defensive deliberate dense
dental destructive detailed determined devastating devoted diagnostic dim diplomatic disabled
disappointed disappointing distinct distinctive diverse divine dizzy domestic dominant doomed
drunk dual dumb durable dynamic eastern ecological educated educational elaborate elastic elected
electoral electrical elegant elementary eligible embarrassed embarrassing eminent
empirical endless energetic enormous enthusiastic epic ethical ethnic eternal
everyday evident evolutionary excessive exclusive executive exhausted exhausting existing
expected experienced experimental explicit explosive extensive extraordinary fabulous
faint faithful fake fancy fantastic fascinating fatal faulty favourable favourite fearless
feminine fertile fierce fiscal fixed floral fluent fluid fond foolish forbidden forgotten
forthcoming forward fragile frail frightened frozen fruitful frustrated functional
fundamental furious fuzzy genetic geographic glad glorious gloomy golden gorgeous graceful gradual
graphic greedy grey grim gross grown guided handy hard-working harmful harmless hasty
hateful haunted healthy heavenly helpless heroic hesitant historic historical
holy homeless hopeful hopeless horizontal hostile huge humble humid hybrid icy identical
idle ignorant imaginary immature immense imminent immune imperial implicit inadequate
inappropriate inclined incomplete inconvenient indigenous indirect individual
indoor inevitable infamous infinite influential informed inherent innovative insane
inspiring institutional instant instrumental intact integral intellectual intense intensive
interactive interested interesting intermediate intimate invisible irrelevant
isolated jealous jolly joyful judicial juicy juvenile lame lasting lavish lean legendary
legitimate lengthy lesser lethal light-hearted limited linear linguistic liquid lively
logistic long-term lousy loyal magical magnetic magnificent managerial mandatory manual marginal
marine marital marvelous masculine mature meaningful meaningless mechanical mere merry
messy mighty mindful minimal misleading missing mixed moderate modest molecular monetary
monthly monumental mortal muddy multiple municipal muscular mysterious mystic naive naval
neighboring neutral noble nominal notable noticeable notorious novel numerous
objective obscure occasional odd offensive operational optical optimal optimistic optional
organic organizational outdoor outstanding overall overnight overseas overwhelming
parallel parental parliamentary partial passionate pathetic patient peaceful peculiar
persistent petty philosophical plausible playful pleased plural poetic poisonous polar
portable post-war practiced precise predictable preliminary premature prepared presidential
prestigious presumed preventive primitive prior pristine probable problematic productive
profitable profound progressive prominent promising prone prosperous protective provincial
psychological punctual puzzled quarterly radical rare rational realistic rear rebellious
reckless recognized reluctant rental repetitive residential resistant respectful
respective restless retail retired reverse revolutionary rewarding rhetorical
ridiculous rigid rival robust rocky rotten rusty sacred sane sarcastic satisfied
satisfactory scarce scary scenic scattered secondary secular selective selfish
senseless sensible sentimental serial shaky shared sheer shiny shocked shocking
shortened silky sincere skeptical skilled sleepy slim slippery sloppy smooth so-called
sober sole spacious sparkling spatial specialized spectacular spicy spontaneous
stable stagnant standard startling static statistical statutory stern stolen stormy straightforward
strained stressful striking structural stubborn stunning stylish subjective
subsequent subtle suburban superior supernatural supportive supreme surgical suspended swift
symbolic sympathetic synthetic systematic tactical talented tall tame tangible tasteful
tasty tedious teenage temperate tempting tended terminal terrific territorial thankful
theatrical theoretical therapeutic thermal thorough thoughtful threatening thrilled thrilling
tidy timely tiresome tolerant touching toxic tragic transparent trendy tribal tricky trivial
troubled turbulent typical ultimate unacceptable unaware uncertain unclear uncomfortable
uncommon underground uneasy unexpected unfamiliar unfortunate uniform universal
unlikely unlucky unnecessary unpleasant unprecedented unpredictable unprepared unreasonable
unstable unwanted unwilling upcoming upper upset upside used useless utter vacant vain
vaguely varied vegetable vegetarian verbal versatile vertical viable vicious vibrant
victorious vigorous vintage virgin virtuous vivid vocal volatile voluntary wandering weary
well-known westerly whimsical wicked widespread wired witty wonderful worldwide worthless
worthwhile worthy wounded yearly youngest oldest biggest smallest largest highest lowest fastest
easiest hardest strongest longest shortest closest nearest richest newest latest finest greatest
cheaper easier faster slower longer shorter warmer colder harder softer louder quieter happier
wider deeper closer safer nicer richer thinner darker brighter lighter heavier""",
    "adverb": """
quickly slowly quietly loudly carefully easily suddenly finally really probably certainly usually
often always never sometimes rarely early late soon again together alone today tomorrow yesterday
tonight now then here there outside inside upstairs downstairs well badly hard fast almost already
still perhaps maybe actually especially exactly recently simply clearly directly nearly completely
fully immediately generally particularly mostly mainly hardly barely deeply highly strongly
properly perfectly seriously truly totally absolutely definitely obviously apparently unfortunately
fortunately hopefully eventually gradually currently previously originally originally
regularly frequently constantly occasionally normally typically possibly
personally honestly basically literally slightly extremely
entirely relatively fairly quite rather too somewhat everywhere anywhere
somewhere nowhere forever ahead apart aside away back forward otherwise therefore
however instead meanwhile moreover furthermore nevertheless besides indeed thus
gently happily sadly angrily politely proudly safely secretly softly silently
warmly widely wildly rapidly roughly thoroughly separately
successfully effectively equally automatically freely heavily closely twice once daily""",
    "verb": """
make take get see find give tell use ask leave call try keep hold bring write lose pay meet include
follow learn change lead understand watch stop create read spend open win offer remember love
consider buy serve send expect build cut reach kill raise pass sell require report decide pull
return explain hope develop carry break receive agree support hit produce eat cover catch draw
choose cause want need like help show play move believe hear run start turn
accept achieve add admire admit adopt affect allow announce answer appreciate approach approve
arrange arrest assume attack attend attract avoid bake ban beat bend bite blame block blow boil
book borrow break brush burn bury calculate cancel capture celebrate challenge
charge check claim clean clear climb close collect combine command compare complete
confirm connect contact contain continue contribute control cook copy correct count cross
damage defeat defend define delay deliver demand deny describe deserve design destroy determine
direct discover discuss display divide doubt download draw dress drink drive drop
earn edit employ enable encourage enjoy ensure enter escape establish evaluate examine
exchange expand experience explore express face fear feed feel fight fill film finish
fit fix fly focus fold force forget forgive form freeze gain gather generate
grab grant greet grow guard guess guide handle hang hate hide hire hunt hurt identify
ignore imagine improve increase indicate influence inform insist install introduce invent
invest invite involve join judge jump justify kick kiss knock know launch
lay lend lift limit link list load lock maintain manage mark marry match measure
mention miss mix name notice observe obtain offend operate
order organize own pack paint park perform persuade phone pick place plan plant
point pour practice praise predict prefer prepare present preserve press prevent print
promise promote protect prove provide publish punish push put question recall
recognize recommend record recover reduce refuse regret reject release remove repair
repeat replace represent request rescue research reserve resist respect restore reveal
review ride ring rob roll rub ruin save say search secure seek select separate set
settle shake share shoot shut sign sing solve spread
steal stick strike study suggest supply surprise surround survive suspect swallow
switch taste teach tear tease test thank think threaten throw tie touch tour
track trade train transfer transform translate transport treat trust type update upset
value view visit wait warn wash waste wear weigh welcome wish witness
wrap quit acquire adjust advise afford analyze apply assess assist
attach bear bet bless compose conduct
construct consult consume convert convince crack criticize cure
decorate demonstrate detect distribute dominate eliminate embrace emphasize
enhance estimate exceed exclude execute extend finance grasp
hang illustrate implement impose inspire interpret investigate kidnap lack
melt modify monitor negotiate note overcome perceive
possess proceed pursue rate regard regulate reinforce relate render rent
repeat reverse scare score sense shape slip smell spot
stretch submit sue sustain target trace twist undergo unite urge utilize
abandon absorb access accommodate accompany accomplish accuse acknowledge activate adapt address
advocate align allocate alter amaze amend amuse analyse anticipate apologize appoint approve
ascend assemble assert assign assure attain await award bang bark blend bounce
boost bother breathe breed bump burst calm care cast cease certify chair chase chat cheat cheer
chill chop circulate cite classify coach coincide colour comfort comment commit compensate
compile complain complement complicate comprise concentrate conclude condemn confess confront
confuse congratulate conquer consent consolidate constitute contest contrast contribute
convey cool coordinate cope correspond couple coach crush cultivate curse dare debate declare
decline decrease dedicate deem delete delight depart depend deposit depict deprive derive
descend desire detain devote diagnose differ dig dip disagree disappoint discipline
disclose dislike dismiss dispose disturb dive donate dose double drag drain drill drown
dry dump dust echo educate elect elevate embark emit empower enclose endure enforce engage
enjoy enlarge enrich enrol entertain envy equip erect escort evacuate evaluate evolve exaggerate
excite excuse exercise exhibit expire exploit export expose extract fade fascinate
fasten favour fetch filter fire flash flatter flip flood flow foster found frighten frustrate fry
fuel fulfil function fund furnish gaze glance govern grade grill grind guarantee
halt hammer harm harvest heal heat highlight hug import impress inherit inhibit initiate
inject injure insert inspect instruct insult insure integrate intend interact
interfere interrupt invade isolate jail joke label land last lean leap learn lift
light like litter load locate lower magnify mail mask master mate matter merge mind
mislead mistake motivate mount multiply name narrow neglect nominate obey
object oblige obstruct occupy oppose originate outline overlook overtake
owe park participate paste patrol peel perform permit pinch pity plead please
pledge plug poison polish pop possess postpone pound preach press pretend
price proclaim program prohibit project prolong propose prosecute prosper
provoke pump punch purchase qualify quote race raid rain rank reach realise
rebuild recite reckon recruit recycle refer reflect reform refresh regain register
rehearse relieve rely remark remind render renew reserve reside resolve restrict
resume retain retrieve reunite revise reward risk roast rot rule sacrifice sail satisfy
scan scatter schedule scratch screen seal season seize sentence shave shed shelter shift
ship shock shorten shrink skip slap slice slide slow smash snap soak soften
sort sparkle specify spell spill spin split spoil spray squeeze stain stamp steer stimulate
stir strengthen stress stretch strip structure struggle stuff substitute subtract sum summon
supervise suppress suspend swap sweep sweep swell tackle tap tax tempt tend
terrify tickle tip tolerate topple torture toss tow tramp trap treasure trick trigger
trim trouble tune tutor undermine undertake unfold unify unlock unload update upgrade
uphold vary view violate voice volunteer wander warm water weaken weave weep
whip whisper widen wipe withdraw withstand worship wound wrestle yell yield zip""",
    "verbi": """
go come work live talk walk run sit stand wait die fall stay speak sleep happen
appear arrive laugh cry smile dance sing swim travel rest rise
shout scream whisper listen look wonder worry relax hurry
return move leave begin start stop finish change grow agree argue breathe cough
disappear dream drive eat escape exist fail fight float fly jump knock lie
matter nod occur participate pause pray proceed react remain
reply respond retire search shine shake sink slip smoke sneeze struggle
succeed suffer survive vanish vote wake wander wave win play
read write cook study practice paint explode collapse complain compete
cooperate concentrate communicate crash emerge graduate improve object operate
progress qualify recover resign rush settle spread stare yell""",
    "job": """
teacher doctor nurse lawyer driver farmer writer singer actor artist engineer soldier waiter baker
manager captain pilot student scientist journalist reporter editor cook painter
president minister mayor judge king queen prince princess boss coach player director
producer designer developer programmer secretary assistant officer guard sheriff detective
mechanic plumber carpenter gardener butcher tailor barber cleaner librarian
photographer musician dancer author poet professor chairman priest neighbor stranger
customer visitor tourist passenger guest child boy girl man woman lady gentleman uncle aunt
cousin brother sister mother father son daughter husband wife grandmother grandfather friend""",
}

# lists whose items are all as likely; a plus stands for a blank
PHRASES: dict[str, str] = {
    "past_time": """
yesterday last+night last+week last+month last+year this+morning two+days+ago a+week+ago
a+long+time+ago an+hour+ago ten+minutes+ago in+the+past before+lunch after+dinner
on+Monday on+Friday during+the+war in+the+summer last+winter last+spring in+the+end for+years
at+the+weekend last+Tuesday the+day+before+yesterday once earlier+today at+midnight at+noon""",
    "future_time": """
tomorrow next+week next+month next+year tonight this+afternoon this+evening later soon
in+an+hour in+a+minute on+Thursday on+Saturday in+the+morning after+work after+school
one+day next+summer at+the+weekend before+dinner the+day+after+tomorrow by+the+end+of+the+month
as+soon+as+possible sooner+or+later at+seven at+half+past+nine in+a+few+days""",
    "where": """
at+home at+work at+school in+the+garden in+the+kitchen in+the+house in+the+park in+town
on+the+table on+the+floor on+the+wall on+the+roof on+the+bus on+the+train by+the+river by+the+sea
near+the+station near+the+church behind+the+house under+the+bridge under+the+bed over+the+hill
across+the+street around+the+corner down+the+road up+the+stairs along+the+beach
through+the+forest between+the+trees among+the+flowers next+to+the+bank in+front+of+the+shop
outside+the+door inside+the+box at+the+airport at+the+office in+the+city in+the+country
in+the+mountains on+the+island at+the+hotel in+the+library at+the+market in+the+street
against+the+wall above+the+clouds below+the+surface beside+the+lake beyond+the+fields
towards+the+village into+the+room out+of+the+window onto+the+stage off+the+road
everywhere in+the+world upstairs in+the+middle+of+nowhere at+the+top at+the+bottom""",
    "number": """
two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety twenty-one
thirty-two forty-three fifty-four sixty-five seventy-six eighty-seven ninety-eight a+hundred
two+hundred five+hundred a+thousand three+thousand a+million""",
    "ordinal": """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
fourteenth fifteenth twentieth twenty-first twenty-second twenty-third thirtieth thirty-first""",
    "clock": """
one two three four five six seven eight nine ten eleven twelve""",
    "place2": """New+York Los+Angeles San+Francisco Las+Vegas New+Zealand South+Africa Hong+Kong
North+Carolina South+Carolina New+Jersey New+Orleans New+Mexico Saudi+Arabia Sri+Lanka Great+Britain
Northern+Ireland Santa+Barbara San+Diego Puerto+Rico Costa+Rica Buenos+Aires""",
}

TEMPLATES: dict[str, tuple[str, ...]] = {
    "person": (
        "he",
        "she",
        "{name}",
        "the {job}",
        "my {job}",
        "{name}",
        "her {job}",
        "our {job}",
        "nobody",
        "everybody",
        "somebody",
        "everyone",
        "no one",
        "someone",
        "his {noun}",
    ),
    "people": (
        "I",
        "you",
        "we",
        "they",
        "the {jobs}",
        "people",
        "some {nouns}",
        "my friends",
        "your parents",
        "most {jobs}",
        "{name} and I",
        "{name} and {name}",
        "these {nouns}",
    ),
    "object": (
        "it",
        "him",
        "her",
        "them",
        "us",
        "me",
        "you",
        "{name}",
        "everything",
        "nothing",
        "something",
        "anything",
        "this",
        "that",
    ),
    "thing": (
        "the {noun}",
        "a {noun}",
        "the {adj} {noun}",
        "a {adj} {noun}",
        "my {noun}",
        "your {noun}",
        "his {adj} {noun}",
        "her {noun}",
        "their {nouns}",
        "our {noun}",
        "this {noun}",
        "that {noun}",
        "these {nouns}",
        "those {nouns}",
        "some {mass}",
        "the {noun} and the {noun}",
        "the {noun} of the {noun}",
        "every {noun}",
        "another {noun}",
        "each {noun}",
        "any {noun}",
        "no {noun}",
        "many {nouns}",
        "both {nouns}",
        "all the {nouns}",
        "a few {nouns}",
        "several {nouns}",
        "the {nation} {noun}",
        "a {nation} {noun}",
        "the {noun}'s {noun}",
        "{name}'s {noun}",
    ),
    "single": (
        "the {noun}",
        "a {noun}",
        "the {adj} {noun}",
        "my {noun}",
        "your {noun}",
        "her {noun}",
        "our {noun}",
        "this {noun}",
        "that {adj} {noun}",
        "the {job}",
    ),
    "town": ("{place}", "{place}", "{place}", "{place2}"),
    "very": (
        "very",
        "so",
        "too",
        "really",
        "quite",
        "rather",
        "pretty",
        "not",
        "more",
        "always",
        "extremely",
        "almost",
        "less",
        "still",
        "never",
    ),
    "modal": (
        "can",
        "could",
        "will",
        "would",
        "should",
        "must",
        "may",
        "might",
        "can't",
        "won't",
        "shouldn't",
        "wouldn't",
        "couldn't",
        "cannot",
        "have to",
        "want to",
        "don't",
        "never",
        "used to",
        "need to",
        "always",
        "didn't",
        "usually",
        "try to",
    ),
    "modal3": (
        "can",
        "could",
        "will",
        "would",
        "should",
        "must",
        "may",
        "might",
        "can't",
        "won't",
        "shouldn't",
        "wouldn't",
        "couldn't",
        "has to",
        "wants to",
        "doesn't",
        "used to",
        "needs to",
        "didn't",
        "tried to",
        "likes to",
        "seems to",
        "is going to",
    ),
    "why": (
        "because",
        "although",
        "when",
        "before",
        "after",
        "while",
        "if",
        "unless",
        "until",
        "since",
        "as",
        "so",
        "but",
        "and",
        "whenever",
        "though",
        "once",
    ),
    "prep": (
        "for",
        "with",
        "without",
        "about",
        "from",
        "to",
        "against",
        "after",
        "before",
        "like",
        "near",
        "behind",
        "under",
        "over",
        "between",
        "around",
        "through",
        "of",
        "by",
        "into",
    ),
    "clause": (
        "{person} {verbed} {thing}",
        "{people} {verbed} {thing}",
        "{person} {verbied}",
        "{person} {verbs} {thing}",
        "{people} {verb} {thing}",
        "{single} was {adj}",
        "{people} were {adj}",
        "{person} is {very} {adj}",
        "it was {adj}",
        "{people} {modal} {verb} {object}",
        "{person} {modal3} {verbi}",
        "the {nouns} are {adj}",
        "I'm {adj}",
        "you're {adj}",
        "they {verbied} {where}",
    ),
    "statement": (
        "{person} {verbed} {thing}.",
        "{people} {verbed} {thing} {past_time}.",
        "{person} {verbs} {thing}.",
        "{people} {verb} {thing} {adverb}.",
        "{person} {adverb} {verbed} {thing}.",
        "{person} {verbied} {where}.",
        "{person} {verbed} {thing} {where}.",
        "{people} {modal} {verb} {thing}.",
        "{person} {modal3} {verb} {thing}.",
        "{people} {modal} {verbi} {future_time}.",
        "{single} is {very} {adj}.",
        "{single} was {adj} and {adj}.",
        "The {nouns} are {adj}.",
        "There is {single} {where}.",
        "There are {number} {nouns} {where}.",
        "{person} is {verbing} {thing}.",
        "{people} were {verbing} {thing} {where}.",
        "I am {verbing} {where}.",
        "We're {verbing} {thing}.",
        "They've {verben} {thing}.",
        "{person} has {verben} {thing}.",
        "I have never {verben} {thing}.",
        "{single} has been {verben}.",
        "The {nouns} were {verben} by {thing}.",
        "{thing} was {verben} {past_time}.",
        "{single} will be {verben} {future_time}.",
        "{clause} {why} {clause}.",
        "{clause}, {why} {clause}.",
        "{clause}, and {clause}.",
        "If {clause}, {people} {modal} {verb} {thing}.",
        "When {clause}, {clause}.",
        "I think {clause}.",
        "I don't think {clause}.",
        "I know that {clause}.",
        "{name} said that {clause}.",
        "He told me that {clause}.",
        "She says {clause}.",
        "I hope {clause}.",
        "Maybe {clause}.",
        "Of course {clause}.",
        "I'm sure {clause}.",
        "{adverb}, {clause}.",
        "In {town}, {clause}.",
        "On {day}, {clause}.",
        "In {month}, {people} {verbed} {thing}.",
        "{name} lives in {town}.",
        "{name} {surname} comes from {town}.",
        "We went to {town} {past_time}.",
        "Mr. {surname} {verbed} {thing}.",
        "Mrs. {surname} is {adj}.",
        "Dr. {surname} {verbs} {thing}.",
        "The {noun} {prep} the {noun} is {adj}.",
        "It's {very} {adj}.",
        "That's a {adj} {noun}.",
        "This is the {adj} {noun} {prep} {town}.",
        "These {nouns} are for {name}.",
        "The {adj} {noun} {verbied} {adverb}.",
        "It takes {number} {nouns} to {verb} {thing}.",
        "{verbing} {thing} is {adj}.",
        "It is {adj} to {verb} {thing}.",
        "The {noun} is {adj}er than the {noun}.".replace("{adj}er", "more {adj}"),
        "She is the most {adj} {job} in {town}.",
        "{person} {verbed} the {noun} with a {adj} {noun}.",
        "{person} likes {nouns}, {nouns} and {nouns}.",
        "I'd like to {verb} {thing}.",
        "You should have {verben} {thing}.",
        "I'll {verb} {thing} {future_time}.",
        "He didn't {verb} {thing}, but {clause}.",
        "What {single} {verbs} is {adj}.",
        "The {job} who {verbed} {thing} is {adj}.",
        "The {noun} that {people} {verbed} was {adj}.",
        "No, {clause}.",
        "Yes, {clause}.",
        "Well, {clause}.",
        "Oh, {clause}.",
        "Okay, {clause}.",
        "Sorry, {clause}.",
        "You know, {clause}.",
        "In fact, {clause}.",
        "For example, {clause}.",
        "One thing is {adj}: {clause}.",
        "{clause}; {clause}.",
        "{clause} - {clause}.",
        "My {job} is a {adj} {job}.",
        "Everyone in {town} {verbs} {nation} {nouns}.",
        "We have {adj} {nouns} and {adj} {nouns}.",
        "I've got {thing} for you.",
        "The {noun} of {thing} {verbs} the {nouns}.",
        "Let {object} {verb} {thing}.",
    ),
    "question": (
        "Do {people} {verb} {thing}?",
        "Does {person} {verb} {thing}?",
        "Did {person} {verb} {thing}?",
        "Can you {verb} {thing}?",
        "Could you {verb} {object}, please?",
        "Will {person} {verb} {thing}?",
        "Would you like {thing}?",
        "Would you like to {verb} {thing}?",
        "Should we {verb} {thing}?",
        "Is {single} {adj}?",
        "Are the {nouns} {adj}?",
        "Was {person} {adj}?",
        "Is there {thing} {where}?",
        "Are there any {nouns} {where}?",
        "Have you {verben} {thing}?",
        "Has {person} {verben} {object}?",
        "What did {person} {verb}?",
        "What do you {verb} {past_time}?".replace(" {past_time}", ""),
        "Where is {single}?",
        "Where did {person} {verb} {thing}?",
        "When will {person} {verb} {thing}?",
        "Why did {person} {verb} {object}?",
        "Why is {single} so {adj}?",
        "Who {verbed} {thing}?",
        "How {adj} is {single}?",
        "How many {nouns} did {person} {verb}?",
        "How much is {single}?",
        "Which {noun} do you {verb}?",
        "Whose {noun} is this?",
        "What kind of {noun} is it?",
        "Isn't {single} {adj}?",
        "Don't you {verb} {thing}?",
        "Aren't you {adj}?",
        "Shall we {verb} {thing} {future_time}?",
        "May I {verb} {thing}?",
        "What about {thing}?",
        "How about {verbing} {thing}?",
        "{clause}, didn't they?",
        "{clause}, right?",
        "{name}, did you {verb} {thing}?",
        "Do you know if {clause}?",
        "Are you {verbing} {future_time}?",
        "What time does {single} {verbi}?",
        "Have you ever been to {town}?",
        "What is {single} {verbing}?",
        "Who is that {adj} {job}?",
        "Is it {adj} or {adj}?",
    ),
    "command": (
        "Please {verb} {thing}.",
        "{verb} {thing}.",
        "{verb} {object} {future_time}.",
        "Don't {verb} {thing}!",
        "Don't {verb} {object}.",
        "Let's {verb} {thing}.",
        "Let's {verbi} {where}.",
        "{verb} the {noun} and {verb} the {noun}.",
        "Stop {verbing} {thing}!",
        "Never {verb} {thing}.",
        "Always {verb} your {nouns}.",
        "Try to {verb} {thing}.",
        "{name}, please {verb} {thing}.",
        "Be {adj}!",
        "{verbi} {adverb}!",
        "Keep {verbing} {object}.",
        "Go to {town} and {verb} {thing}.",
        "Turn {direction} at the {noun}.",
        "Look at {thing}!",
        "Remember to {verb} {thing} {future_time}.",
        "Please don't {verb} {thing} {where}.",
        "What a {adj} {noun}!",
        "How {adj}!",
        "Give {object} {thing}.",
        "Tell me about {thing}.",
        "Listen to {thing}.",
        "Wait for {thing} {where}.",
        "Take care of {thing}.",
    ),
    "direction": ("left", "right", "left", "right", "around", "back"),
    "dialogue": (
        "Hello {name}, how are you today?",
        "Good morning, {name}.",
        "Good evening, {surname}.",
        "Nice to meet you, {name}.",
        "Thank you for the {adj} {noun}.",
        "Thanks for {verbing} {thing}.",
        "You're welcome, {name}.",
        "I'm sorry, I can't {verb} {thing}.",
        "Excuse me, where is {single}?",
        "Sure, I can {verb} {thing} for you.",
        "Here is {thing} you asked for.",
        "I have added {thing} to your list.",
        "How can I help you {future_time}?",
        "Your {noun} is ready, {name}.",
        "The {noun} will arrive {future_time}.",
        "I didn't understand that, please say it again.",
        "See you {future_time}, {name}!",
        "Happy birthday, {name}!",
        "Good luck with your {noun}!",
        "Have a {adj} {noun}!",
        "The weather in {town} is {adj} today.",
        "It will be {adj} and {adj} {future_time}.",
        "I found {number} {nouns} near {town}.",
        "Okay, playing {nation} music.",
        "Your meeting with {name} is on {day}.",
        "Do you want me to {verb} {thing}?",
        "Let me {verb} {thing} for you.",
        "What can I do for you, {name}?",
        "That sounds {adj}.",
        "I'm {adj}, thank you.",
        "Not {adv_short}, thanks.",
        "Are you sure about {thing}?",
        "Welcome to {town}!",
        "Congratulations on your {adj} {noun}!",
        "Please hold the line.",
        "My name is {name} {surname}.",
        "This is {name} from the {noun} office.",
        "I would like to speak to Mr. {surname}.",
        "Could you repeat your {noun}, please?",
        "Would you like {mass} or {mass}?",
        "A cup of {mass}, please.",
        "It was {adj} to see you.",
        "Take the {ordinal} {noun} on the {direction}.",
        "The next stop is {town}.",
    ),
    "adv_short": ("now", "today", "really", "yet", "here", "always"),
    "unit": (
        "dollars",
        "euros",
        "pounds",
        "cents",
        "minutes",
        "hours",
        "days",
        "weeks",
        "months",
        "years",
        "miles",
        "kilometers",
        "meters",
        "feet",
        "inches",
        "degrees",
        "percent",
        "grams",
        "pounds",
        "liters",
        "seconds",
        "points",
    ),
    "year": ("{century} {tens}", "{century} oh {digit}", "two thousand and {number_small}"),
    "century": ("eighteen", "nineteen", "twenty", "seventeen", "nineteen"),
    "tens": (
        "ten",
        "eleven",
        "twelve",
        "fifteen",
        "eighteen",
        "nineteen",
        "twenty",
        "thirty",
        "forty-five",
        "fifty",
        "sixty-nine",
        "seventy",
        "eighty-four",
        "ninety-nine",
    ),
    "digit": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "number_small": ("one", "two", "three", "five", "eight", "nine", "ten", "twelve", "twenty"),
    "time": (
        "{clock} o'clock",
        "half past {clock}",
        "quarter to {clock}",
        "quarter past {clock}",
        "{number_small} past {clock}",
        "ten to {clock}",
        "{clock} thirty",
        "{clock} fifteen",
        "{clock} in the morning",
        "{clock} in the afternoon",
        "#h:#m",
        "#h:#m",
        "noon",
    ),
    "numbers": (
        "It's {time}.",
        "The train leaves at {time}.",
        "Call me at {time}.",
        "Wake me up at {time}.",
        "It is {time} in {town}.",
        "The {noun} starts at {time} on {day}.",
        "That costs {number} {unit}.",
        "It costs #n dollars.",
        "The {noun} is $#n.",
        "That's #n.#m euros.",
        "The {noun} costs {number} dollars and {number} cents.",
        "My number is #d#d#d #d#d#d#d.",
        "{number} plus {number} is {number}.",
        "{number} {unit}, {number} {unit}.",
        "Today is {day}, the {ordinal} of {month}.",
        "{month} {ordinal}, {year}.",
        "She was born in {year}.",
        "He was born on {month} #n, #y.",
        "In #y, {clause}.",
        "The {noun} is #n years old.",
        "There are #n {nouns} on page #n.",
        "Chapter {number}.",
        "Set a timer for {number} {unit}.",
        "We need #n {nouns} and #n {nouns}.",
        "Room #n, please.",
        "The temperature is {number} degrees.",
        "About {number} percent of the {nouns} are {adj}.",
        "One, two, three, {digit}, {digit}, {digit}.",
        "It happened on {day} at {time}.",
        "{number} {nouns} {verbied} in {year}.",
        "The {ordinal} {noun} was {adj}.",
        "It's #n miles to {town}.",
        "I am {number} years old.",
        "Flight #n to {town} leaves at {time}.",
        "The score was {digit} to {digit}.",
        "Number {number}!",
        "A quarter of the {noun} is {mass}.",
        "Two thirds of the {nouns} are {adj}.",
        "Bus {number} stops {where}.",
    ),
    "short": (
        "{word}.",
        "{word}!",
        "{word}?",
        "{word}.",
        "{word} {word}.",
        "{adj} {noun}.",
        "The {noun}.",
        "{name}?",
        "{name}!",
        "{name}.",
        "{town}.",
        "{day}.",
        "{month}.",
        "{number}.",
        "{number} {unit}.",
        "A {noun}.",
        "My {noun}!",
        "{verb} it.",
        "{adverb}.",
        "Not {adj}.",
        "{stock}",
        "{stock}",
        "{stock}",
        "{stock}",
        "{name}, {name}.",
        "{noun} {noun}.",
        "{verbing}.",
        "{nouns}!",
        "{adj} {nouns}.",
        "No {noun}.",
        "{nation} {noun}.",
        "Very {adj}.",
        "So {adj}!",
        "Too {adj}.",
    ),
    "stock": (
        "Yes.",
        "No.",
        "Yes!",
        "No!",
        "Okay.",
        "Thanks.",
        "Thank you.",
        "Thank you!",
        "Hello.",
        "Hello!",
        "Hi!",
        "Hi there!",
        "Good morning!",
        "Good night.",
        "Good evening.",
        "Goodbye!",
        "Bye!",
        "Please.",
        "Sorry.",
        "Of course.",
        "Sure.",
        "Maybe.",
        "Really?",
        "Why?",
        "Why not?",
        "What?",
        "Who?",
        "Where?",
        "When?",
        "How?",
        "Right.",
        "All right.",
        "Well done!",
        "Great!",
        "Wonderful!",
        "Perfect.",
        "Exactly.",
        "Never mind.",
        "No problem.",
        "Not yet.",
        "Come in.",
        "Come on!",
        "Hurry up!",
        "Stop!",
        "Wait!",
        "Go!",
        "Help!",
        "Listen.",
        "Look!",
        "I see.",
        "I know.",
        "Me too.",
        "See you.",
        "Take care!",
        "Good luck!",
        "Cheers!",
        "Welcome!",
        "Congratulations!",
        "Excuse me.",
        "Happy birthday!",
        "Yes, please.",
        "No, thanks.",
        "Oh no!",
        "Oh dear.",
        "My goodness!",
        "Let's go!",
        "Be quiet!",
        "Sit down.",
        "Stand up.",
        "Any questions?",
        "What's that?",
        "Who's there?",
        "Are you there?",
        "How much?",
        "Absolutely.",
        "Certainly.",
        "Not really.",
        "I agree.",
        "That's right.",
        "Don't worry.",
        "It's true.",
        "Of course not.",
        "Good afternoon.",
        "Good idea!",
        "Nice try.",
        "So what?",
    ),
    "noun_part": (
        "the {N}",
        "a {N}",
        "the {A} {N}",
        "{A} {N}",
        "my {N}",
        "your {A} {N}",
        "{N}",
        "his {N}",
        "her {N}",
        "their {N}",
        "our {A} {N}",
        "this {N}",
        "some {N}",
        "the {N} {N}",
        "{N} and {N}",
        "no {N}",
        "{A} {A} {N}",
        "the {A}, {A} {N}",
        "all {N}",
        "one {N}",
        "another {N}",
        "those {N}",
        "its {N}",
    ),
    "verb_part": (
        "{V}",
        "{V}",
        "{D} {V}",
        "will {V}",
        "can {V}",
        "is {V}",
        "was {D} {V}",
        "don't {V}",
        "has {V}",
        "would {V}",
        "{V} and {V}",
        "didn't {V}",
        "may {V}",
        "were {V}",
    ),
    "sequence": (
        "{F} {noun_part} {V} {F} {noun_part}.",
        "{F} {A} {N} {V} {F} {A} {N}.",
        "{F} {V} {noun_part} {F} {N}.",
        "{F} {noun_part} {verb_part}, {F} {D} {V} {noun_part}.",
        "{F} {V} {noun_part}?",
        "{F}, {noun_part} {V} {F} {V} {N}.",
        "{F} {A} {F} {A} {noun_part}!",
        "{contracted} {A}.",
        "{contracted} {D} {V} {noun_part}.",
        "{contracted} {V} {prep} {noun_part}.",
        "{noun_part} {verb_part} {A} {N} {prep} {A} {N}.",
        "{A} {N} {V} {A} {N} {prep} {A} {N}.",
        "{A} {N}, {A} {N}, {A} {N}.",
        "{N} {V} {N}, {A} {N} {V} {D}.",
        "{A} {N} {prep} {A} {N} {V} {N}.",
        "{noun_part} {verb_part} {noun_part}.",
        "{noun_part} {verb_part} {D}.",
        "{noun_part} {verb_part} {prep} {noun_part}.",
        "{noun_part} {verb_part} {D} {prep} {noun_part}.",
        "{noun_part} {prep} {noun_part} {verb_part} {noun_part}.",
        "{noun_part} {prep} {noun_part}.",
        "{prep} {noun_part}, {noun_part} {verb_part} {noun_part}.",
        "{D}, {noun_part} {verb_part}.",
        "{noun_part} {verb_part} {noun_part}, {why} {noun_part} {verb_part}.",
        "{noun_part}, {noun_part} and {noun_part}.",
        "{N}, {N}, {N} or {N}?",
        "{A}, {A} and {A}.",
        "{word} {word} {word}, {word} {word}.",
        "{word}, {word}, {word}, {word}.",
        "{word} {word} {word} {word} {word}.",
        "{V} {noun_part} {prep} {noun_part}!",
        "Why {V} {noun_part}?",
        "What {V} {noun_part} {prep} {noun_part}?",
        "How {A}, how {A}!",
        "Is {noun_part} {A} or {A}?",
        "It's {A}, {A} and {D} {A}.",
        "I {V} {noun_part}, and you {V}.",
        "She {V} {noun_part} with {noun_part}.",
        "He {V}, {V} and {V}.",
        "We {V} {D} {prep} {noun_part}.",
        "They {D} {V} {noun_part}, but {V} {noun_part}.",
        "You {V} {noun_part}, didn't you?",
        "There is {noun_part} {prep} {noun_part}.",
        "As {A} as {noun_part}.",
        "From {N} to {N}.",
        "More {N}, less {N}.",
        "{noun_part}: {N}, {N} and {N}.",
        "{noun_part}; {noun_part}.",
        "{noun_part} - {A}, {A}.",
        "Not {A}, not {A}, only {A}.",
        "If {noun_part} {V}, {noun_part} {V}.",
        "{noun_part} who {V} {noun_part} {V} {noun_part}.",
        "{N} without {N} is {noun_part}.",
        "{V} or {V}, {N} or {N}.",
        "{noun_part} {V}, {noun_part} {V}, {noun_part} {V}.",
        "To {V} {noun_part} is to {V} {noun_part}.",
        "{D} {A} {N}, {D} {A} {N}.",
        "I've {V} {noun_part} {prep} {noun_part}.",
        "{noun_part} {V} {noun_part} {prep} the {word} {N}.",
        "{A} {N} {V} {A} {N}.",
        "{word} {A} {N} {V} {D}.",
        "{noun_part} isn't {A}, it's {A}.",
    ),
}
