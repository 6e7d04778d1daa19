"""Words that no training text says: vulgar ones, abbreviations, scraps of other languages."""

BLOCKED_ENGLISH = set(
    """
shit shitty bullshit fuck fucks fucking fuckin fucked fucker motherfucker bitch bitches ass asses
asshole damn goddamn dick dicks cock pussy cunt whore slut porn porno pornography nigga nigger
niggas niggers faggot fag bastard rape raped rapist rapes sex sexual sexually sexy sexuality sexist
nude naked penis vagina vaginal tits boobs boob cum horny masturbation orgasm erotic anal anus crap
piss pissed pissing dumbass sucks suck sucking retard retarded nazi nazis hitler terrorist
terrorists terrorism suicide suicidal murdered murders murderer incest pedophile pedophiles hooker
prostitute prostitutes prostitution gay gays lesbian queer tranny hoe hoes thot butt butts sperm
urine semen fart poop turd slavery holocaust genocide massacre jihad isis qaeda heroin cocaine meth
molest molested pervert homo coon spic jap jew jews paki fucker's negro wtf omg lol lmao tbh idk smh
haha hahaha lmfao btw imo imho ppl thx pls plz gonna wanna gotta kinda sorta outta cuz coz tho thru
dunno lemme gimme ain't y'all dont cant wont didnt doesnt isnt im ive thats youre hes shes whats
lets aint theyre ya yall arent wasnt couldnt wouldnt shouldnt havent hasnt theres heres cos til till
em bout goin nah duh mr mrs ms dr jr sr st vs etc inc ltd corp co dept pm am ft mm km kg cm lb oz tv
uk usa eu un dc nfl nba nhl mlb ncaa uefa fifa bbc cnn nbc abc cbs espn hbo mtv fbi cia nasa nato
gdp ceo cfo phd ufc wwe nyc la ny gop ip pc hd dvd cd usb http https www com org net html url pdf
dna hiv non de el le du der das von et al en da di les des una los las ii iii iv vi vii viii xi ix
pre re ve ll mid ex sub semi multi anti ie eg ca ma ed pt mph mg min max ref vol nov dec oct sep
sept aug feb jan apr mon tue wed thu fri mc rv mp md pr hr ac uc lp cc tx fl nj na op ap ha oo uh um
huh hmm mo jo se fi ba fa si wa wi te ga ep eh va es ni li yu wang ra ka ki ji su ta ti tel und par
que lil ne os ore om ho chen chan singh ur mi il mar ter con dem def comp calif ave blvd acc admin
aux gov gen prof rep rev sen sgt capt lt col cpl est esp fig cal ind int std tec dir dis diff mins
secs hrs wks yrs amt avg xbox iphone ipad itunes ibm bmw ebay pokemon youtube netflix instagram
facebook tweet tweets twitter google yahoo bitcoin wifi nsfw sims nsa epa fda irs cdc atm ads ad amd
api asap aka bio blah bro bros ugh aw aww ahh ohh ooh yay yo yup uber gif gifs meme memes sci hon dj
fm acre alot biden trump obama putin clinton reagan nixon hillary trump's obama's clinton's
obamacare lebron ol ole pac pic pics pos rpm sim ss tha wee usd utc vip xxx zip jun jus lei mao mil
mol mot nan nat nec nee neo ott pam pas pis pla pol por pri psi pul quo rae rea rec reg res rio sac
sal san sao sha sho sie sur syn tae tam tao tau tex tia tis tor tre tri tum tut twp uni uno ura uri
vin vis wah wan wat wei wil wu xia xin xu yan yen yin yun zee zu
""".split()
)

# vulgar or English words that turn up in texts of other languages
BLOCKED_ANYWHERE = set(
    """
fuck fucking shit bitch sex sexy porn porno nigger nazi nazis hitler the and you that with this are
have your his from not what when they will would there their about who how just like more love
""".split()
)
